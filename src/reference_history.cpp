// reference_history and reference_at: whose a connection was, at which time.
#include "core/reference_history.h"

#include <string>
#include <utility>
#include <vector>

#include "pg/function.h"
#include "pg/query.h"
#include "pg/relations.h"
#include "pg/result_rows.h"
#include "tables/connection_row.h"
#include "tables/empty_copy.h"
#include "tables/event_row.h"
#include "tables/ledger.h"
#include "tables/readers.h"

namespace terra_identity {

namespace {

using namespace pg;
using namespace tables;

Query select_reference_id = R"(
    SELECT c.reference_id, c.reference_id_passing FROM terra_identity.connections c
    WHERE c.dev_id OPERATOR(pg_catalog.=) $1 AND c.user_id OPERATOR(pg_catalog.=) $2)";

Query select_events = R"(
    SELECT e.received_at, e.payload, e.headers, e.entered_by IS NOT NULL FROM terra_identity.events e
    WHERE e.dev_id OPERATOR(pg_catalog.=) $1 AND e.user_id OPERATOR(pg_catalog.=) $2
      AND e.event_type OPERATOR(pg_catalog.=) $3)";

Query select_events_of_new_users = R"(
    SELECT e.received_at, e.payload, e.headers, e.entered_by IS NOT NULL FROM terra_identity.reauths r
    JOIN terra_identity.events e
        ON e.dev_id OPERATOR(pg_catalog.=) r.dev_id AND e.user_id OPERATOR(pg_catalog.=) r.new_user_id
    WHERE r.dev_id OPERATOR(pg_catalog.=) $1 AND r.old_user_id OPERATOR(pg_catalog.=) $2
      AND e.event_type OPERATOR(pg_catalog.=) $3)";

using Periods = std::vector<ReferencePeriod>;

/// Reads the identity events and imports of a connection with the privileges and the row security of the caller: those
/// of its own, and as a user_reauth names two connections, but has the user_id of the new one, those that `reauths`
/// leads to. No other event is read, of which there may be very many. For a caller who may read the whole environment
/// it uses index scans, because a query would cost several times as much.
class HistoryReader {
public:
    HistoryReader(Datum user_id, Datum dev_id)
        : user_id_(string_of(user_id)), dev_id_(string_of(dev_id)), history_(user_id_) {}

    /// No periods if the connection is unknown, or no event names its end user.
    Periods read() {
        Table connections("connections", AccessShareLock);
        Table reauths("reauths", AccessShareLock);
        Table events("events", AccessShareLock);
        one_event_ = call([] {
            return AllocSetContextCreate(CurrentMemoryContext, "terra_identity history", ALLOCSET_DEFAULT_SIZES);
        });
        const bool all =
            caller_reads(connections, dev_id_) && caller_reads(reauths, dev_id_) && caller_reads(events, dev_id_);
        Periods periods = all ? scan(connections, reauths, events) : ask();
        call([this] { MemoryContextDelete(one_event_); });
        events.close();
        reauths.close();
        connections.close();
        return periods;
    }

private:
    Periods scan(const Table& connections, const Table& reauths, const Table& events) {
        const std::vector<HeapTuple> found = find_connections(connections, dev_id_, {user_id_}, Reads::statement);
        if (found.empty())
            return {};
        std::vector<IndexKeys> wanted;
        for (const auto& [type, kind] : identity_types)
            wanted.push_back(std::move(IndexKeys().equals(user_id_).equals(type)));
        wanted.push_back(std::move(IndexKeys().equals(user_id_).equals(import_type)));
        const IndexScan replacing{.table = reauths.relation(), .index = "reauths_key", .reads = Reads::statement};
        for (const HeapTuple row : replacing.fetch(std::move(IndexKeys().equals(dev_id_).equals(user_id_)))) {
            const std::string new_user_id = string_of(attribute(row, reauths.columns(), 3).value);
            wanted.push_back(std::move(IndexKeys().equals(new_user_id).equals(reauth_type)));
        }
        const TextColumn environment{event_dev_id, dev_id_};
        const IndexScan of_types{.table = events.relation(),
                                 .index = "events_user_id_idx",
                                 .reads = Reads::statement,
                                 .filter = pg::raising::has_text,
                                 .filter_state = &environment};
        for (const HeapTuple row : of_types.fetch(std::move(wanted))) {
            const auto value = [&](EventColumn column) { return attribute(row, events.columns(), column); };
            add(value(event_received_at), value(event_payload), value(event_headers), !value(event_entered_by).is_null);
        }
        const auto value = [&](int column) { return attribute(found.front(), connections.columns(), column); };
        return periods(value(connection_column("reference_id")), value(connection_column("reference_id_passing")));
    }

    Periods ask() {
        Periods result;
        as_caller([&] {
            const SPITupleTable* const connection =
                select_reference_id.run({text_parameter(dev_id_), text_parameter(user_id_)}, Reads::statement);
            if (Query::rows() == 0)
                return;
            for (const auto& [type, kind] : identity_types) // one by one, which leaves the planner no choice of index
                ask(select_events, type);
            ask(select_events, import_type);
            ask(select_events_of_new_users, reauth_type);
            result = periods(pg::column(connection, 0, 1), pg::column(connection, 0, 2));
        });
        return result;
    }

    void ask(Query& query, std::string_view type) {
        const SPITupleTable* const events = query.run(
            {text_parameter(dev_id_), text_parameter(user_id_), text_parameter(std::string(type))}, Reads::statement);
        for (std::uint64_t i = 0, count = Query::rows(); i < count; ++i)
            add(pg::column(events, i, 1), pg::column(events, i, 2), pg::column(events, i, 3),
                DatumGetBool(pg::column(events, i, 4).value));
    }

    void add(const NullableValue& received_at, const NullableValue& payload, const NullableValue& headers,
             bool is_entered) {
        check_for_interrupts();
        const MemoryContext caller = MemoryContextSwitchTo(one_event_);
        history_.add(event_of(received_at.value, payload.value, headers, is_entered));
        MemoryContextSwitchTo(caller);
        call([this] { MemoryContextReset(one_event_); });
    }

    Periods periods(const NullableValue& reference_id, const NullableValue& passing) const {
        return history_.periods(reference_id.is_null ? std::nullopt
                                                     : Register(Written{.value = string_of(reference_id.value),
                                                                        .passing = DatumGetBool(passing.value)}));
    }

    std::string user_id_;
    std::string dev_id_;
    ReferenceHistory history_;
    MemoryContext one_event_ = nullptr; ///< its memory is freed before the next one, because there may be many
};

Periods periods_of_arguments(FunctionCallInfo fcinfo, int user_id, int dev_id) {
    refuse_on_empty_copy();
    return HistoryReader(PG_GETARG_DATUM(user_id), PG_GETARG_DATUM(dev_id)).read();
}

} // namespace

PG_FUNCTION(terra_identity_reference_history) {
    ResultRows rows(fcinfo);
    for (const ReferencePeriod& period : periods_of_arguments(fcinfo, 0, 1))
        rows.add({text_of(period.reference_id),
                  period.from ? timestamptz_of(*period.from) : TimestampTzGetDatum(DT_NOBEGIN),
                  period.to ? timestamptz_of(*period.to) : TimestampTzGetDatum(DT_NOEND)});
    return Datum{0};
}

PG_FUNCTION(terra_identity_reference_at) {
    const Periods periods = periods_of_arguments(fcinfo, 0, 2);
    const ReferencePeriod* const period = period_at(periods, nearest_micros_of(PG_GETARG_DATUM(1)));
    fcinfo->isnull = period == nullptr;
    return period == nullptr ? Datum{0} : text_of(period->reference_id);
}

} // namespace terra_identity
