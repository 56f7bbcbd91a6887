// prune: what its procedure calls for each batch. Old events become envelopes; those that nothing needs are deleted.
#include "core/envelope.h"
#include "core/event_reader.h"
#include "core/needless.h"

#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "pg/function.h"
#include "pg/jsonb.h"
#include "pg/query.h"
#include "pg/relations.h"
#include "pg/result_rows.h"
#include "pg/scratch.h"
#include "tables/ledger.h"
#include "tables/ledger_edits.h"
#include "tables/locks.h"
#include "tables/owner.h"
#include "tables/progress.h"

extern "C" {
#include "funcapi.h"
}

namespace terra_identity {
namespace {

using namespace pg;
using namespace tables;

/// So many events are looked at in a batch, which is a transaction.
constexpr std::int64_t batch_events = 500;
/// So many are deleted, at about, of as many connections at most.
constexpr std::int64_t batch_deletions = 1000;
constexpr std::int64_t batch_connections = 200;

/// Events are about in the order of their receipt, but for those that are marked as backfilled: an hour either way.
constexpr TimestampTz disorder = 2 * 3600 * INT64CONST(1'000'000);
/// Younger events are looked at again by the next prune: the transaction of another one may still be in progress.
constexpr TimestampTz young = 24 * 3600 * INT64CONST(1'000'000);

Query select_next_events = R"(
    SELECT e.event_id, e.received_at, e.payload, e.headers, e.event_type, e.entered_by IS NOT NULL, e.backfilled
    FROM terra_identity.events e WHERE e.dev_id = $1 AND e.event_id > $2 ORDER BY e.event_id LIMIT $3)";

Query select_backfilled_events = R"(
    SELECT e.event_id FROM terra_identity.events e
    WHERE e.dev_id = $1 AND e.backfilled AND e.received_at < $2 ORDER BY e.received_at LIMIT $3)";

// FOR NO KEY UPDATE: what is read here stays until it is replaced.
Query select_event = R"(
    SELECT e.received_at, e.payload, e.headers, e.event_type, e.entered_by IS NOT NULL, e.backfilled
    FROM terra_identity.events e WHERE e.dev_id = $1 AND e.event_id = $2 FOR NO KEY UPDATE)";

Query update_event = R"(
    UPDATE terra_identity.events e SET payload = $3, headers = $4, backfilled = NULL
    WHERE e.dev_id = $1 AND e.event_id = $2)";

Query select_connections = R"(
    SELECT c.connection_id, c.user_id FROM terra_identity.connections c
    WHERE c.dev_id = $1 AND c.connection_id > $2 ORDER BY c.connection_id LIMIT $3)";

// The event time is at most a day after the receipt: the index need not be read beyond.
constexpr char select_old_events[] = R"(
    SELECT e.event_id, e.received_at, e.payload, e.headers, e.disputes_reference IS NOT NULL
    FROM terra_identity.events e
    WHERE e.user_id = $2 AND e.dev_id = $1 AND e.event_time <= $3 + interval '1 day' AND e.received_at < $3
      AND e.problem IS NULL AND e.entered_by IS NULL AND e.event_type <> ALL ($4)
    ORDER BY e.event_type USING ~<~, e.event_time)";

Query select_events_of_nobody = R"(
    SELECT e.event_id FROM terra_identity.events e
    WHERE e.user_id IS NULL AND e.dev_id = $1 AND e.received_at < $2 AND e.problem IS NULL AND e.entered_by IS NULL
    LIMIT $3)";

Query select_old_problems = R"(
    SELECT e.event_id FROM terra_identity.events e
    WHERE e.problem IS NOT NULL AND e.dev_id = $1 AND e.received_at < $2 AND e.entered_by IS NULL
      AND (e.event_type IS NULL OR e.event_type <> ALL ($4)) LIMIT $3)";

Query delete_event = R"(
    DELETE FROM terra_identity.events e WHERE e.dev_id = $1 AND e.event_id = $2 RETURNING e.trace_id)";
Query delete_delivery = R"(
    DELETE FROM terra_identity.deliveries d WHERE d.trace_id = $2 AND d.dev_id = $1 AND d.event_id = $3)";

Query::Parameter types_parameter() {
    std::vector<std::string> types;
    for (const auto& [type, kind] : identity_types)
        types.emplace_back(type);
    return texts_parameter(types);
}

/// The progress of the work that the session does: it goes on from batch to batch.
ToldProgress& progress_of(const char* work, const char* rows, std::int64_t done) {
    static std::unique_ptr<ToldProgress> progress;
    if (done == 0 || !progress) {
        progress = std::make_unique<ToldProgress>(work);
        progress->begin(rows);
    }
    return *progress;
}

/// Begins a batch. It locks the ledger as writers do, before all other locks: forget() locks writers out of it first.
/// And one prune at a time works in an environment, because they take rows in different orders.
void begin_pruning(const std::string& dev_id) {
    lock_relation("events", RowExclusiveLock);
    lock_pruning(dev_id);
}

bool is_same(const NullableValue& one, const NullableValue& other) {
    if (one.is_null || other.is_null)
        return one.is_null && other.is_null;
    const Jsonb *const a = detoasted_jsonb(one.value), *const b = detoasted_jsonb(other.value);
    return VARSIZE(a) == VARSIZE(b) && std::memcmp(a, b, VARSIZE(a)) == 0;
}

bool is_type_to_prune(const NullableValue& type, bool is_entered) {
    return !is_entered && may_be_envelope(type.is_null ? std::string() : string_of(type.value));
}

/// What is left of an event.
struct Kept {
    NullableValue payload;
    NullableValue headers;
};

Kept envelope_of_event(Datum received_at, const NullableValue& payload, const NullableValue& headers) {
    const auto of_headers = envelope_of_headers(view_of(headers), micros_of(received_at));
    return {NullableValue(jsonb_of_text(envelope_of(view_of(payload)))),
            of_headers ? NullableValue(jsonb_of_text(*of_headers)) : NullableValue()};
}

/// Makes an event its envelope. @return whether that changed it
bool make_envelope(const std::string& dev_id, std::int64_t event_id) {
    const SPITupleTable* const found = select_event.run({text_parameter(dev_id), id_parameter(event_id)});
    if (Query::rows() == 0)
        return false; // deleted meanwhile
    const auto value = [found](int number) { return column(found, 0, number); };
    Kept kept{value(2), value(3)};
    if (is_type_to_prune(value(4), DatumGetBool(value(5).value)))
        kept = envelope_of_event(value(1).value, value(2), value(3));
    if (is_same(kept.payload, value(2)) && is_same(kept.headers, value(3)) && value(6).is_null)
        return false;
    const LedgerEdits allowed;
    update_event.run(
        {text_parameter(dev_id), id_parameter(event_id), {JSONBOID, kept.payload}, {JSONBOID, kept.headers}});
    return Query::rows() > 0; // none if a trigger of the owner keeps it
}

/// Whether an event is its envelope, as far as that can be seen without fetching it: who finds one that is large may
/// find that it is so after all.
bool is_envelope_at_sight(Datum received_at, const NullableValue& payload, const NullableValue& headers) {
    const auto is_small = [](const NullableValue& jsonb) {
        const auto* const stored = jsonb.is_null ? nullptr : DatumGetPointer(jsonb.value);
        return stored == nullptr || (!VARATT_IS_EXTERNAL(stored) && !VARATT_IS_COMPRESSED(stored));
    };
    if (!is_small(payload) || !is_small(headers))
        return false;
    const Kept kept = envelope_of_event(received_at, payload, headers);
    return is_same(kept.payload, payload) && is_same(kept.headers, headers);
}

/// What a batch did, as the procedure wants to know it.
struct Batch {
    std::int64_t looked_at = 0;
    std::int64_t pruned = 0;
    std::int64_t last_id = 0;    ///< the id of the last event, or connection, that was looked at
    std::int64_t settled_id = 0; ///< of the last event up to which none is young
    bool finished = false;       ///< there is nothing beyond
};

/// Looks at the next events of an environment in the order of their ids. @param before prunes what was received before
Batch prune_next(const std::string& dev_id, std::int64_t after, TimestampTz before, ToldProgress& progress,
                 std::int64_t done) {
    const TimestampTz young_since = call([] { return GetCurrentTimestamp(); }) - young;
    Batch batch{.last_id = after, .settled_id = after};
    const SPITupleTable* const rows =
        select_next_events.run({text_parameter(dev_id), id_parameter(after), id_parameter(batch_events)});
    const std::uint64_t count = Query::rows();
    bool is_settled = true;
    const Scratch scratch;
    for (std::uint64_t i = 0; i < count; ++i) {
        check_for_interrupts();
        const auto value = [rows, i](int number) { return column(rows, i, number); };
        const std::int64_t event_id = DatumGetInt64(value(1).value);
        const TimestampTz received_at = DatumGetTimestampTz(value(2).value);
        if (value(7).is_null && is_type_to_prune(value(5), DatumGetBool(value(6).value))) {
            if (received_at >= before && received_at - before > disorder) {
                batch.finished = true;
                break;
            }
            is_settled = is_settled && received_at < before && received_at < young_since;
            if (received_at < before)
                scratch.run([&] {
                    if (!is_envelope_at_sight(value(2).value, value(3), value(4)))
                        batch.pruned += make_envelope(dev_id, event_id) ? 1 : 0;
                });
        }
        batch.last_id = event_id;
        if (is_settled)
            batch.settled_id = event_id;
        progress.at(static_cast<std::uint64_t>(done + ++batch.looked_at));
    }
    scratch.close();
    batch.finished = batch.finished || static_cast<std::int64_t>(count) < batch_events;
    return batch;
}

/// Prunes the backfilled events that were received longest ago.
Batch prune_backfilled(const std::string& dev_id, TimestampTz before, ToldProgress& progress, std::int64_t done) {
    Batch batch;
    const SPITupleTable* const rows = select_backfilled_events.run(
        {text_parameter(dev_id), timestamptz_parameter(before), id_parameter(batch_events)});
    const std::uint64_t count = Query::rows();
    const Scratch scratch;
    for (std::uint64_t i = 0; i < count; ++i) {
        check_for_interrupts();
        scratch.run([&] { batch.pruned += make_envelope(dev_id, DatumGetInt64(column(rows, i, 1).value)) ? 1 : 0; });
        progress.at(static_cast<std::uint64_t>(done + ++batch.looked_at));
    }
    scratch.close();
    batch.finished = batch.pruned == 0;
    return batch;
}

/// Deletes an event with its delivery. @return how many events that were: none if a trigger of the owner keeps it
std::int64_t delete_from_ledger(const std::string& dev_id, std::int64_t event_id) {
    const LedgerEdits allowed;
    const SPITupleTable* const deleted = delete_event.run({text_parameter(dev_id), id_parameter(event_id)});
    if (Query::rows() == 0)
        return 0;
    if (const NullableValue trace_id = column(deleted, 0, 1); !trace_id.is_null)
        delete_delivery.run({text_parameter(dev_id), {TEXTOID, trace_id}, id_parameter(event_id)});
    return 1;
}

/// Deletes the needless events of a connection, or as many as a batch may. @return how many
std::int64_t delete_needless(const std::string& dev_id, const std::string& user_id, TimestampTz before) {
    constexpr long fetched_at_once = 500;
    NeedlessEvents decide;
    const Scratch scratch;
    std::int64_t deleted = 0;
    const Portal portal = call([&, dev = text_of(dev_id), user = text_of(user_id),
                                types = types_parameter().value.value] {
        std::array<Oid, 4> oids{TEXTOID, TEXTOID, TIMESTAMPTZOID, TEXTARRAYOID};
        std::array<Datum, 4> values{dev, user, TimestampTzGetDatum(before), types};
        return SPI_cursor_open_with_args(nullptr, select_old_events, 4, oids.data(), values.data(), nullptr, false, 0);
    });
    for (bool goes_on = true; goes_on && deleted < batch_deletions;) {
        call([portal] { SPI_cursor_fetch(portal, true, fetched_at_once); });
        SPITupleTable* const rows = SPI_tuptable;
        const std::uint64_t count = SPI_processed;
        goes_on = count > 0;
        for (std::uint64_t i = 0; i < count; ++i) {
            check_for_interrupts();
            const auto value = [rows, i](int number) { return column(rows, i, number); };
            const std::int64_t event_id = DatumGetInt64(value(1).value);
            scratch.run([&] {
                const Event event = event_of(value(2).value, value(3).value, value(4), false);
                for (const std::int64_t needless : decide.add(event_id, event, DatumGetBool(value(5).value)))
                    deleted += delete_from_ledger(dev_id, needless);
            });
        }
        call([rows] { SPI_freetuptable(rows); });
    }
    scratch.close();
    call([portal] { SPI_cursor_close(portal); });
    return deleted;
}

/// Deletes the needless events of the next connections.
Batch delete_of_connections(const std::string& dev_id, std::int64_t after, TimestampTz before, ToldProgress& progress,
                            std::int64_t done) {
    Batch batch{.last_id = after};
    const SPITupleTable* const rows =
        select_connections.run({text_parameter(dev_id), id_parameter(after), id_parameter(batch_connections)});
    const std::uint64_t count = Query::rows();
    for (std::uint64_t i = 0; i < count; ++i) {
        check_for_interrupts();
        const std::int64_t deleted = delete_needless(dev_id, string_of(column(rows, i, 2).value), before);
        batch.pruned += deleted;
        if (deleted >= batch_deletions)
            return batch; // and go on with this connection
        batch.last_id = DatumGetInt64(column(rows, i, 1).value);
        progress.at(static_cast<std::uint64_t>(done + ++batch.looked_at));
        if (batch.pruned >= batch_deletions)
            return batch;
    }
    batch.finished = static_cast<std::int64_t>(count) < batch_connections;
    return batch;
}

/// Deletes events that say nothing of any connection: those that name no user, and those with a problem.
Batch delete_of_nobody(const std::string& dev_id, TimestampTz before) {
    Batch batch;
    const auto delete_all = [&](const SPITupleTable* rows) {
        const std::uint64_t count = Query::rows();
        for (std::uint64_t i = 0; i < count; ++i) {
            check_for_interrupts();
            batch.pruned += delete_from_ledger(dev_id, DatumGetInt64(column(rows, i, 1).value));
        }
    };
    delete_all(select_events_of_nobody.run(
        {text_parameter(dev_id), timestamptz_parameter(before), id_parameter(batch_deletions)}));
    delete_all(select_old_problems.run(
        {text_parameter(dev_id), timestamptz_parameter(before), id_parameter(batch_deletions), types_parameter()}));
    batch.finished = batch.pruned == 0;
    return batch;
}

Datum row_of(FunctionCallInfo fcinfo, const Batch& batch) {
    return result_row(fcinfo,
                      {Int64GetDatum(batch.looked_at), Int64GetDatum(batch.pruned), Int64GetDatum(batch.last_id),
                       Int64GetDatum(batch.settled_id), BoolGetDatum(batch.finished)});
}

} // namespace

/// _prune_data(environment, after, before, done): a batch of events in the order of their ids.
PG_FUNCTION(terra_identity_prune_data) {
    const std::string dev_id = string_of(PG_GETARG_DATUM(0));
    begin_pruning(dev_id);
    ToldProgress& progress = progress_of("prune", "events looked at", PG_GETARG_INT64(3));
    Batch batch;
    as_owner_by_index(owner_of_tables(), [&] {
        batch = prune_next(dev_id, PG_GETARG_INT64(1), PG_GETARG_TIMESTAMPTZ(2), progress, PG_GETARG_INT64(3));
    });
    return row_of(fcinfo, batch);
}

/// _prune_backfilled(environment, before, done): a batch of backfilled events.
PG_FUNCTION(terra_identity_prune_backfilled) {
    const std::string dev_id = string_of(PG_GETARG_DATUM(0));
    begin_pruning(dev_id);
    ToldProgress& progress = progress_of("prune", "backfilled events", PG_GETARG_INT64(2));
    Batch batch;
    as_owner_by_index(owner_of_tables(), [&] {
        batch = prune_backfilled(dev_id, PG_GETARG_TIMESTAMPTZ(1), progress, PG_GETARG_INT64(2));
    });
    return row_of(fcinfo, batch);
}

/// _prune_events(environment, after, before, done): deletes the needless events of a batch of connections. Holds the
/// environment, shared with writers, so that nobody rebuilds it, or forgets somebody, between reading and deleting.
PG_FUNCTION(terra_identity_prune_events) {
    const std::string dev_id = string_of(PG_GETARG_DATUM(0));
    ToldProgress& progress = progress_of("prune", "connections looked at", PG_GETARG_INT64(3));
    Batch batch;
    begin_pruning(dev_id);
    EnvironmentLocks locks(dev_id);
    locks.lock_environment(false);
    as_owner_by_index(owner_of_tables(), [&] {
        batch =
            delete_of_connections(dev_id, PG_GETARG_INT64(1), PG_GETARG_TIMESTAMPTZ(2), progress, PG_GETARG_INT64(3));
    });
    return row_of(fcinfo, batch);
}

/// _lock_feed(environment): until the end of the transaction, nobody gives positions to changes, so that they can be
/// deleted.
PG_FUNCTION(terra_identity_lock_feed) {
    lock_feed(string_of(PG_GETARG_DATUM(0)), true);
    return Datum{0};
}

/// _prune_events_of_nobody(environment, before): deletes a batch of events that say nothing of any connection.
PG_FUNCTION(terra_identity_prune_events_of_nobody) {
    const std::string dev_id = string_of(PG_GETARG_DATUM(0));
    begin_pruning(dev_id);
    Batch batch;
    as_owner_by_index(owner_of_tables(), [&] { batch = delete_of_nobody(dev_id, PG_GETARG_TIMESTAMPTZ(1)); });
    return row_of(fcinfo, batch);
}

} // namespace terra_identity
