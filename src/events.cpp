// The triggers of the ledger `events`: they read each event, collect what it contributes, and apply that once for the
// statement.
#include "events.h"

#include "core/entered.h"
#include "core/envelope.h"
#include "core/event_reader.h"
#include "core/facts.h"
#include "core/headers.h"
#include "core/minimal_payload.h"
#include "core/text.h"

#include <array>
#include <map>
#include <unordered_map>
#include <utility>

#include "apply.h"
#include "kept_of_forgotten.h"
#include "pg/function.h"
#include "pg/jsonb.h"
#include "pg/query.h"
#include "pg/relations.h"
#include "pg/trigger.h"
#include "tables/deliveries.h"
#include "tables/delivery_watch.h"
#include "tables/disputes.h"
#include "tables/entered_events.h"
#include "tables/event_row.h"
#include "tables/ids.h"
#include "tables/known_connections.h"
#include "tables/ledger.h"
#include "tables/ledger_edits.h"
#include "tables/refusals.h"
#include "tables/routes.h"
#include "tables/rules.h"
#include "tables/settings.h"
#include "tables/sqlstates.h"

extern "C" {
#include "utils/acl.h"
}

namespace terra_identity {
namespace {

using namespace pg;
using namespace tables;

/// A statement applies its news in parts of this many events. Only events count that have a delivery to record or
/// contribute something.
constexpr std::size_t chunk_events = 10'000;

/// The limits of received_at. A later time, plus a day, would not fit into 64 bits of microseconds since 1970. An
/// earlier one would leave no room for the `connected_at` of the connections that were replaced before.
constexpr TimestampTz latest_received_at = INT64_MAX - postgres_epoch - micros_per_day;
constexpr TimestampTz earliest_received_at = MIN_TIMESTAMP + 30 * micros_per_day;

Micros received_at_of(const NullableValue& given) {
    if (given.is_null)
        return micros_of(TimestampTzGetDatum(GetCurrentTimestamp()));
    const TimestampTz time = DatumGetTimestampTz(given.value);
    if (TIMESTAMP_NOT_FINITE(time) || time > latest_received_at || time < earliest_received_at)
        throw Error{"22008", "received_at is out of range",
                    "It must be finite, after 4714 BC and before the year 294247."};
    return micros_of(given.value);
}

/// What an event says beyond what is known of its connections.
struct Says {
    bool news = false;    ///< something that their facts do not contain, or what the feed has not told
    bool dispute = false; ///< it names another end user than its connection has
};

/// This needs no lock, because facts only ever grow: what they contain now they will contain later.
Says says(const Event& event, const std::string& dev_id) {
    if (event.kind != EventKind::passing)
        return {.news = event.kind != EventKind::nothing};
    Says result;
    for (const Contribution& contribution : contributions_of(event)) {
        const Known known = look_up(dev_id, contribution);
        const Register& reference_id = contribution.facts.reference_id;
        result.news =
            result.news || !known.absorbs ||
            (known.disputed && !is_disputed(dev_id, contribution.user_id, reference_id->value, DisputesOf::everybody));
        result.dispute = result.dispute || known.disputed;
    }
    return result;
}

HeapTuple with(HeapTuple row, Relation relation, EventColumn column, const NullableValue& value) {
    return call([=, number = static_cast<int>(column), datum = value.value, is_null = value.is_null]() mutable {
        return heap_modify_tuple_by_cols(row, RelationGetDescr(relation), 1, &number, &datum, &is_null);
    });
}

/// Whether an event is inserted at another time than when it was received, so that its event_id does not tell its age.
bool is_backfilled(Micros received_at) {
    constexpr Micros about_now = 3600 * micros_per_second;
    const Micros now = micros_of(TimestampTzGetDatum(GetCurrentTimestamp()));
    return received_at < now - about_now || received_at > now + about_now;
}

bool is_owner(Relation relation) {
    return call([owner = relation->rd_rel->relowner] { return has_privs_of_role(GetUserId(), owner); });
}

/// For a row that has been read before, and so comes from a dump: it contributes nothing, because the state to which it
/// led is restored too, in any order. Version 0.1.0 kept types of any length. Only the owner of the table, who restores
/// dumps, can say that it was entered by a role: otherwise everybody who may INSERT could forge one for the next
/// rebuild().
HeapTuple without_contribution(HeapTuple row, Relation relation) {
    const NullableValue type = attribute(row, relation, event_event_type);
    if (!type.is_null && bytes_of(type.value).size() > max_id_bytes)
        row = with(row, relation, event_event_type, {});
    if (!attribute(row, relation, event_entered_by).is_null && !is_owner(relation))
        row = with(row, relation, event_entered_by, {});
    return with(row, relation, event_contributes, {});
}

/// Returns the environment of an event. Creates it, or sets its `terra_dev_id` from the header, if necessary.
std::string environment_of(const NullableValue& given, const std::optional<std::string>& header) {
    while (true) {
        const Route route = route_of(given, header);
        if (settle(route, header))
            return route.dev_id;
    }
}

/// The news of the statement in progress, for each level of subtransactions; the innermost level is on top. The
/// callbacks end_transaction and end_subtransaction drop what an abort leaves behind.
struct Pending {
    int level;
    NewsByEnvironment news;
    std::size_t events;                            ///< the number of events in the news
    std::map<std::string, std::int64_t> forgotten; ///< how many events of an environment named forgotten people
    std::map<DeliveryKey, std::int64_t> coming;    ///< the deliveries that BEFORE INSERT has seen, with their event_ids
    Pending* below;
};

Pending* top = nullptr;

Pending* pending_here() { return top != nullptr && top->level == GetCurrentTransactionNestLevel() ? top : nullptr; }

Pending& pending_or_new() {
    if (pending_here() == nullptr)
        top = new Pending{GetCurrentTransactionNestLevel(), {}, 0, {}, {}, top};
    return *top;
}

void drop_pending_from(int level) {
    while (top != nullptr && top->level >= level)
        delete std::exchange(top, top->below);
}

/// Whether an earlier row of this statement is in the ledger: a trigger of the application may have skipped it.
bool is_in_ledger(const DeliveryKey& key, std::int64_t event_id) {
    Table events("events", AccessShareLock);
    const IndexScan by_key{.table = events.relation(), .index = "events_pkey", .limit = 1};
    bool found = false;
    for (const HeapTuple row : by_key.fetch(IndexKeys().equals(key.dev_id).equals(event_id))) {
        const NullableValue trace_id = attribute(row, events.relation(), event_trace_id);
        found = !trace_id.is_null && string_of(trace_id.value) == key.trace_id;
    }
    events.close();
    return found;
}

/// The event that a delivery repeats, of an earlier statement or of this one; null if there is none. Waits if another
/// transaction is inserting the same delivery. A repeated delivery that is overlooked here is found when the deliveries
/// are recorded.
std::optional<std::int64_t> repeated_event(const std::string& dev_id, const Delivered& delivery) {
    if (delivery.signed_content)
        if (auto earlier = find_signature(dev_id, *delivery.signed_content))
            return earlier;
    if (!delivery.trace_id)
        return std::nullopt;
    const DeliveryKey key{dev_id, *delivery.trace_id, delivery.payload_hash};
    if (auto earlier = find_delivery(key))
        return earlier;
    std::map<DeliveryKey, std::int64_t>& coming = pending_or_new().coming;
    if (const auto found = coming.find(key); found != coming.end() && is_in_ledger(key, found->second))
        return found->second;
    if (coming.size() == chunk_events)
        coming.clear();
    coming.insert_or_assign(key, delivery.event_id);
    return std::nullopt;
}

/// The hash of the last payload that was read; most statements have only one.
struct LastHash {
    std::int64_t event_id = 0;
    std::int64_t hash = 0;
};

LastHash last_hash;

/// The hashes of what was delivered, of events of which the ledger stores the envelope: AFTER INSERT records their
/// deliveries. Rows that were skipped meanwhile leave theirs behind until the transaction ends.
std::unordered_map<std::int64_t, std::int64_t>* hashes_of_envelopes = nullptr;

void remember_hash(std::int64_t event_id, std::int64_t hash) {
    if (hashes_of_envelopes == nullptr)
        hashes_of_envelopes = new std::unordered_map<std::int64_t, std::int64_t>;
    hashes_of_envelopes->insert_or_assign(event_id, hash);
}

/// The hash of what was delivered as an event that this transaction has inserted. @param payload as it is stored
template <class Payload>
std::int64_t hash_of_delivered(std::int64_t event_id, const Payload& payload) {
    if (hashes_of_envelopes != nullptr)
        if (const auto found = hashes_of_envelopes->find(event_id); found != hashes_of_envelopes->end()) {
            const std::int64_t hash = found->second;
            hashes_of_envelopes->erase(found);
            return hash;
        }
    return last_hash.event_id == event_id ? last_hash.hash : hash_of(payload());
}

/// Applies the news that were collected at this level of subtransactions.
void apply_pending(bool in_parts) {
    if (pending_here() == nullptr)
        return;
    NewsByEnvironment news = std::move(top->news);
    const std::map<std::string, std::int64_t> forgotten = std::move(top->forgotten);
    drop_pending_from(top->level);
    apply_news(std::move(news), in_parts);
    for (const auto& [dev_id, count] : forgotten)
        count_refusals(dev_id, forgotten_reason, GetCurrentTimestamp(), count);
}

void end_transaction(XactEvent event, void*) {
    if (event == XACT_EVENT_ABORT || event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE) {
        drop_pending_from(0);
        delete std::exchange(hashes_of_envelopes, nullptr);
    }
}

void end_subtransaction(SubXactEvent event, SubTransactionId, SubTransactionId, void*) {
    if (event == SUBXACT_EVENT_ABORT_SUB)
        drop_pending_from(GetCurrentTransactionNestLevel());
}

} // namespace

void register_events() {
    RegisterXactCallback(end_transaction, nullptr);
    RegisterSubXactCallback(end_subtransaction, nullptr);
}

/// BEFORE INSERT FOR EACH ROW: reads the event from payload and headers and fills in its columns. Skips a repeated
/// delivery.
PG_FUNCTION(terra_identity_read_event) {
    TriggerData* const trigger = trigger_data(fcinfo, "events", TRIGGER_EVENT_ROW | TRIGGER_EVENT_BEFORE,
                                              TRIGGER_EVENT_INSERT, "BEFORE INSERT FOR EACH ROW");
    const Relation relation = trigger->tg_relation;
    const HeapTuple row = trigger->tg_trigtuple;
    if (!attribute(row, relation, event_event_time).is_null)
        return PointerGetDatum(without_contribution(row, relation));
    const NullableValue payload = attribute(row, relation, event_payload);
    if (payload.is_null)
        return PointerGetDatum(with(row, relation, event_dev_id,
                                    text_of(dev_id_or_setting({})))); // payload is NOT NULL, which raises the error

    const Micros received_at = received_at_of(attribute(row, relation, event_received_at));
    const Headers headers = read_headers(view_of(attribute(row, relation, event_headers)), received_at);
    const Jsonb* jsonb = detoasted_jsonb(payload.value);
    std::int64_t event_id = DatumGetInt64(attribute(row, relation, event_event_id).value);
    DeliveryWatch* const watch = DeliveryWatch::of(event_id);
    const std::string* const entered_by = EnteredEvents::role_of(event_id);
    Event event = entered_by != nullptr ? read_entered(JsonbView(jsonb), received_at)
                                        : read_event(JsonbView(jsonb), headers, received_at);
    if (!event.problem.empty() && setting_strict())
        throw Error{invalid_event, "invalid Terra event: " + event.problem,
                    event.type.empty() ? "" : "The event's type is \"" + event.type + "\".",
                    "Set terra_identity.strict to off to store it with this as its problem."};
    const std::string dev_id = environment_of(attribute(row, relation, event_dev_id), headers.dev_id);
    if (watch == nullptr && entered_by == nullptr) // else the id was drawn with care
        event_id = checked_id(event_ids, event_id);
    const Kept is_kept = kept(dev_id, event, jsonb, entered_by != nullptr && event.type != import_type);
    if (is_kept == Kept::not_at_all) {
        ++pending_or_new().forgotten[dev_id];
        if (watch != nullptr)
            watch->forgotten = true;
        return Datum{0};
    }
    if (is_kept != Kept::whole) {
        if (const auto earlier =
                headers.trace_id ? find_delivery({dev_id, *headers.trace_id, hash_of(jsonb)}) : std::nullopt) {
            if (watch != nullptr)
                watch->repeated = earlier; // of when she was not forgotten yet
            return Datum{0};
        }
        if (is_kept == Kept::without_old_user) {
            event.old_user.reset();
            jsonb = jsonb_of(minimal_payload(event));
        } else {
            jsonb = without_member(jsonb, "reference_id");
        }
    }
    const Says it_says = says(event, dev_id);
    const std::optional<std::string> trace_id =
        event.type == import_type && entered_by != nullptr ? import_trace_id(event) : headers.trace_id;
    Delivered delivery{.event_id = event_id, .trace_id = trace_id};
    if (delivery.trace_id) {
        delivery.payload_hash = hash_of(jsonb);
        last_hash = {event_id, delivery.payload_hash};
    }
    if (watch != nullptr)
        delivery.signed_content = watch->signed_content();
    // Keys come last in the order of locks. A delivery that `ingest` inserts and that has no news takes nothing else.
    const bool is_taken = watch != nullptr && !it_says.news;
    if (const auto earlier = is_taken ? take_delivery(dev_id, delivery) : repeated_event(dev_id, delivery)) {
        if (watch != nullptr)
            watch->repeated = earlier;
        return Datum{0};
    }
    if (is_taken)
        watch->taken = std::move(delivery);

    std::array<int, event_columns> columns{};
    std::array<Datum, event_columns> values{};
    std::array<bool, event_columns> nulls{};
    int count = 0;
    const auto set = [&](EventColumn column, const NullableValue& value) {
        const auto i = static_cast<std::size_t>(count++);
        columns.at(i) = column; // once for each column
        values.at(i) = value.value;
        nulls.at(i) = value.is_null;
    };
    const auto text_or_null = [](const std::string& text) {
        return text.empty() ? NullableValue() : NullableValue(text_of(text));
    };
    set(event_event_id, Int64GetDatum(event_id));
    set(event_dev_id, text_of(dev_id));
    set(event_received_at, timestamptz_of(received_at));
    const bool is_prunable = entered_by == nullptr && may_be_envelope(event.type);
    if (is_prunable && !leads_to_data(event.type) && !stores_data(dev_id)) {
        if (delivery.trace_id && !is_taken)
            remember_hash(event_id, delivery.payload_hash);
        set(event_payload, jsonb_of_text(envelope_of(JsonbView(jsonb))));
        const auto kept = envelope_of_headers(view_of(attribute(row, relation, event_headers)), received_at);
        set(event_headers, kept ? NullableValue(jsonb_of_text(*kept)) : NullableValue());
    } else if (is_kept != Kept::whole) {
        set(event_payload, PointerGetDatum(jsonb));
    }
    set(event_event_type, text_or_null(event.type));
    set(event_user_id, event.user ? NullableValue(text_of(event.user->user_id)) : NullableValue());
    set(event_reference_id, event.user ? event.user->reference_id : event.reference_id);
    set(event_provider, event.user ? event.user->provider : std::nullopt);
    set(event_trace_id, trace_id);
    set(event_event_time, timestamptz_of(event.time));
    set(event_problem, text_or_null(event.problem));
    set(event_contributes, BoolGetDatum(it_says.news));
    set(event_entered_by, entered_by != nullptr ? NullableValue(text_of(*entered_by)) : NullableValue());
    set(event_disputes_reference, it_says.dispute ? NullableValue(BoolGetDatum(true)) : NullableValue());
    set(event_backfilled,
        is_prunable && is_backfilled(received_at) ? NullableValue(BoolGetDatum(true)) : NullableValue());
    return call([&] {
        return PointerGetDatum(heap_modify_tuple_by_cols(row, RelationGetDescr(relation), count, columns.data(),
                                                         values.data(), nulls.data()));
    });
}

/// AFTER INSERT FOR EACH ROW: collects the delivery and what its event contributes. It is not done in BEFORE INSERT
/// because the row may still be skipped there, and because here all rows of the statement are in the ledger.
PG_FUNCTION(terra_identity_collect_event) {
    TriggerData* const trigger = trigger_data(fcinfo, "events", TRIGGER_EVENT_ROW | TRIGGER_EVENT_AFTER,
                                              TRIGGER_EVENT_INSERT, "AFTER INSERT FOR EACH ROW");
    const Relation relation = trigger->tg_relation;
    const HeapTuple row = trigger->tg_trigtuple;
    const std::int64_t event_id = DatumGetInt64(attribute(row, relation, event_event_id).value);
    const NullableValue trace_id = attribute(row, relation, event_trace_id);
    const DeliveryWatch* const watch = DeliveryWatch::of(event_id);
    if (watch != nullptr && watch->taken)
        return Datum{0};
    const bool is_signed = watch != nullptr && watch->signed_content();
    const NullableValue contributes = attribute(row, relation, event_contributes);
    if (contributes.is_null || (!DatumGetBool(contributes.value) && trace_id.is_null && !is_signed))
        return Datum{0}; // the row comes from a dump, or says nothing that is not known
    // A full part is applied at the next event, not at its own last one: by then, all other triggers that see rows of
    // the ledger have seen the rows of this part.
    if (Pending* const full = pending_here(); full != nullptr && full->events >= chunk_events)
        apply_pending(true);
    Pending& pending = pending_or_new();
    ++pending.events;
    News& news = pending.news[string_of(attribute(row, relation, event_dev_id).value)];
    const auto payload = [&] { return detoasted_jsonb(attribute(row, relation, event_payload).value); };

    if (!trace_id.is_null || is_signed) {
        Delivered delivered{.event_id = event_id, .place = row->t_self};
        if (!trace_id.is_null) {
            delivered.trace_id = string_of(trace_id.value);
            delivered.payload_hash = hash_of_delivered(event_id, payload);
        }
        if (is_signed)
            delivered.signed_content = watch->signed_content();
        news.deliveries.push_back(std::move(delivered));
    }
    if (DatumGetBool(contributes.value)) {
        const Event event =
            event_of(attribute(row, relation, event_received_at).value, PointerGetDatum(payload()),
                     attribute(row, relation, event_headers), !attribute(row, relation, event_entered_by).is_null);
        for (Contribution& contribution : contributions_of(event))
            news.items.push_back({std::move(contribution), event_id});
        if (auto reauth = reauth_of(event))
            news.reauths.push_back({std::move(*reauth), event_id});
        else if (event.kind == EventKind::user_reauth)
            news.reauths_of_nobody.push_back({event.user->user_id, event_id, {}});
        if (!attribute(row, relation, event_disputes_reference).is_null)
            news.disputes.push_back({event.user->user_id, event_id, *event.user->reference_id});
    }
    return Datum{0};
}

PG_FUNCTION(terra_identity_apply_events) {
    trigger_data(fcinfo, "events", TRIGGER_EVENT_AFTER, TRIGGER_EVENT_INSERT, "AFTER INSERT FOR EACH STATEMENT");
    apply_pending(false);
    return Datum{0};
}

PG_FUNCTION(terra_identity_refuse_change) {
    if (LedgerEdits::allow_this())
        return Datum{0};
    trigger_data(fcinfo, "events", TRIGGER_EVENT_BEFORE, any_operation,
                 "BEFORE UPDATE OR DELETE OR TRUNCATE FOR EACH STATEMENT");
    throw Error{append_only, "the ledger terra_identity.events is append-only",
                "The state of every connection is derived from it.", "Insert another event to say something else."};
}

} // namespace terra_identity
