#include "receive.h"

#include "core/event_reader.h"
#include "core/headers.h"

#include <algorithm>

#include "pg/json_input.h"
#include "pg/jsonb.h"
#include "pg/query.h"
#include "pg/relations.h"
#include "signature_check.h"
#include "tables/deliveries.h"
#include "tables/delivery_watch.h"
#include "tables/ids.h"
#include "tables/locks.h"
#include "tables/owner.h"
#include "tables/refusals.h"
#include "tables/routes.h"
#include "tables/rules.h"
#include "tables/settings.h"
#include "tables/signing_secrets.h"
#include "tables/tombstones.h"

namespace terra_identity {

using namespace pg;
using namespace tables;

namespace {

Query insert_event = R"(
    INSERT INTO terra_identity.events AS e (dev_id, received_at, payload, headers, event_id) OVERRIDING SYSTEM VALUE
    VALUES ($1, $2, $3, $4, $5)
    RETURNING e.problem)";

Query insert_rejected = R"(
    INSERT INTO terra_identity.rejected
        (dev_id, received_at, trace_id, body, headers, reason, digest, by_header, rejected_id)
    OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT DO NOTHING)";

Micros received_micros(const Delivery& delivery) { return micros_of(TimestampTzGetDatum(delivery.received_at)); }

/// Answers 401. The refusal is counted, and logged at most once a minute. The delivery is not kept, because a sender
/// without a secret must not be able to fill the disk. @param dev_id the environment that counts it
Answer refuse(const Delivery& delivery, const std::string& dev_id, Verdict verdict) {
    const std::string reason(to_string(verdict));
    const bool is_logged = count_refusals(dev_id, reason, delivery.received_at);
    if (is_logged)
        call([name = dev_id.c_str(), why = reason.c_str()] {
            ereport(LOG_SERVER_ONLY,
                    (errmsg("terra_identity refused a webhook: %s", why),
                     errdetail("The environment is \"%s\". This is told at most once a minute.", name),
                     errhint("SELECT * FROM terra_identity.refusals;"), errhidestmt(true), errhidecontext(true)));
        });
    return {.outcome = "rejected", .http_status = 401, .detail = reason};
}

} // namespace

namespace {

/// Counts a delivery of somebody who was forgotten. It is not kept.
Answer acknowledge(const Delivery& delivery) {
    count_refusals(delivery.dev_id, forgotten_reason, delivery.received_at);
    return {.outcome = forgotten_outcome, .http_status = 200};
}

/// Whether a body is JSON that names somebody who was forgotten.
bool names_forgotten_in_body(const Delivery& delivery) {
    if (!has_tombstones(delivery.dev_id))
        return false;
    const JsonInput payload = read_jsonb(bytes_of(delivery.body));
    return payload.problem.empty() && names_forgotten(delivery.dev_id, JsonbView(detoasted_jsonb(payload.jsonb)));
}

} // namespace

Answer reject(const Delivery& delivery, const std::optional<std::string>& trace_id, std::string reason) {
    lock_relation("rejected", RowExclusiveLock); // which forget() locks, so that the tombstones are read after it
    if (names_forgotten_in_body(delivery))
        return acknowledge(delivery);
    as_owner(owner_of_tables(), [&] {
        insert_rejected.run(
            {text_parameter(delivery.dev_id),
             timestamptz_parameter(delivery.received_at),
             nullable_text_parameter(trace_id),
             {BYTEAOID, NullableValue(delivery.body)},
             {JSONBOID, delivery.headers},
             text_parameter(reason),
             delivery.signed_content ? bytea_parameter(*delivery.signed_content) : Query::Parameter{BYTEAOID, {}},
             {BOOLOID, NullableValue(BoolGetDatum(delivery.by_header))},
             id_parameter(next_id(rejected_delivery_ids))});
    });
    return {.outcome = "rejected", .http_status = 400, .detail = std::move(reason)};
}

std::string problem_under_strict(Datum payload, const Headers& headers, Micros received_at) {
    if (!setting_strict())
        return {};
    const Event event = read_event(JsonbView(detoasted_jsonb(payload)), headers, received_at);
    return event.problem.empty() ? std::string() : "invalid Terra event: " + event.problem;
}

namespace {

Answer duplicate_of(std::int64_t event_id) {
    return {.outcome = "duplicate", .http_status = 200, .event_id = event_id};
}

/// Inserts the event, and answers `stored` or `duplicate`, or `rejected` if a trigger of the application skipped it.
Answer store(const Delivery& delivery, const JsonInput& payload, const std::optional<std::string>& trace_id) {
    const std::int64_t event_id = next_id(event_ids);
    const DeliveryWatch watch(event_id, delivery.signed_content);
    std::optional<Answer> answer;
    as_definer(owner_of_tables(), [&] {
        const SPITupleTable* const stored = insert_event.run({text_parameter(delivery.dev_id),
                                                              timestamptz_parameter(delivery.received_at),
                                                              {JSONBOID, NullableValue(payload.jsonb)},
                                                              {JSONBOID, delivery.headers},
                                                              id_parameter(event_id)});
        if (Query::rows() == 0)
            return;
        const NullableValue problem = column(stored, 0, 1);
        answer = {.outcome = "stored",
                  .http_status = 200,
                  .event_id = event_id,
                  .detail = problem.is_null ? std::string() : string_of(problem.value)};
    });
    if (watch.repeated) {
        // The content that was signed this time becomes a second key of the earlier event.
        if (delivery.signed_content)
            add_signature(delivery.dev_id, *delivery.signed_content, *watch.repeated);
        return duplicate_of(*watch.repeated);
    }
    if (watch.forgotten)
        return {.outcome = forgotten_outcome, .http_status = 200};
    if (answer)
        return *answer;
    if (watch.taken)
        give_back_delivery(delivery.dev_id, *watch.taken);
    return reject(delivery, trace_id, "a trigger on terra_identity.events skipped the event");
}

/// Stores a delivery whose signature is good or not required. Null if the route has changed: then look it up again.
std::optional<Answer> deliver(const Delivery& delivery, const Route& route, const Headers& headers) {
    lock_whole_in_batch(delivery.dev_id);
    JsonInput payload = read_jsonb(bytes_of(delivery.body));
    if (payload.problem.empty())
        payload.problem = problem_under_strict(payload.jsonb, headers, received_micros(delivery));
    if (!payload.problem.empty())
        return reject(delivery, headers.trace_id, std::move(payload.problem));

    if (route.kind != Route::known) {
        // A repeated delivery under another header must not set the `terra_dev_id` of an environment.
        if (delivery.signed_content)
            if (const auto earlier = find_signature(delivery.dev_id, *delivery.signed_content))
                return duplicate_of(*earlier);
        if (!settle(route, headers.dev_id))
            return std::nullopt;
    }
    return store(delivery, payload, headers.trace_id);
}

/// Checks the signature if the environment of the route requires one, then stores the delivery. Null if the route has
/// changed.
std::optional<Answer> receive_at(Delivery& delivery, const Route& route, const Headers& headers) {
    const Micros at = received_micros(delivery);
    delivery.dev_id = route.dev_id;
    const SigningPolicy policy = route.by_header ? signing_policy_by_header(route.dev_id, route.default_dev_id, at)
                                                 : signing_policy(route.dev_id, at);
    delivery.signed_content.reset();
    if (policy.required) {
        delivery.signed_content.emplace();
        const std::vector<std::string> signatures = read_signatures(view_of(delivery.headers));
        const Verdict verdict =
            check_signature(signatures, policy.rules, bytes_of(delivery.body), &*delivery.signed_content);
        // The default environment counts the refusal if the route's does not exist: anybody could name a new one.
        if (verdict != Verdict::good)
            return refuse(delivery, route.kind == Route::making ? route.default_dev_id : route.dev_id, verdict);
    }
    return deliver(delivery, route, headers);
}

Query select_rejected_ids = R"(
    SELECT r.rejected_id FROM terra_identity.rejected r WHERE r.dev_id = $1 ORDER BY r.rejected_id)";

Query select_rejected = R"(
    SELECT r.received_at, r.body, r.headers, r.digest, r.by_header FROM terra_identity.rejected r
    WHERE r.dev_id = $1 AND r.rejected_id = $2
    FOR UPDATE SKIP LOCKED)";

Query delete_rejected = "DELETE FROM terra_identity.rejected r WHERE r.dev_id = $1 AND r.rejected_id = $2";

/// The signed content in a column. If somebody has written a value of another length, the result matches none.
SignedContent signed_content_in(Datum bytes) {
    SignedContent content{};
    const std::string_view found = bytes_of(bytes);
    std::copy_n(found.begin(), std::min(found.size(), content.size()), content.begin());
    return content;
}

/// Locks a rejected delivery and copies it into the current memory context. Null if it is gone, or locked by others.
std::optional<Delivery> lock_rejected(const std::string& dev_id, Query::Parameter rejected_id) {
    const MemoryContext caller = CurrentMemoryContext;
    std::optional<Delivery> delivery;
    as_owner(owner_of_tables(), [&] {
        const SPITupleTable* const row = select_rejected.run({text_parameter(dev_id), rejected_id});
        if (Query::rows() == 0)
            return;
        const NullableValue headers = column(row, 0, 3);
        const auto copy = [caller](Datum value) {
            return call([caller, value] {
                const MemoryContext spi = MemoryContextSwitchTo(caller);
                auto* const whole = pg_detoast_datum_copy(reinterpret_cast<struct varlena*>(DatumGetPointer(value)));
                MemoryContextSwitchTo(spi);
                return PointerGetDatum(whole);
            });
        };
        delivery = {.dev_id = dev_id,
                    .received_at = DatumGetTimestampTz(column(row, 0, 1).value),
                    .body = copy(column(row, 0, 2).value),
                    .headers = headers.is_null ? headers : NullableValue(copy(headers.value))};
        if (const NullableValue digest = column(row, 0, 4); !digest.is_null)
            delivery->signed_content = signed_content_in(digest.value);
        delivery->by_header = DatumGetBool(column(row, 0, 5).value);
    });
    return delivery;
}

} // namespace

Answer receive(Delivery delivery, const NullableValue& dev_id) {
    delivery.by_header = dev_id.is_null;
    // Detoasted only once: the body is read for its signature and for its content.
    delivery.body = detoasted(delivery.body);
    if (bytes_of(delivery.body).size() > max_body_bytes)
        return {.outcome = "rejected", .http_status = 400, .detail = "the body is larger than 500 MB"};
    const Headers headers = read_headers(view_of(delivery.headers), received_micros(delivery));
    while (true)
        if (const auto answer = receive_at(delivery, route_of(dev_id, headers.dev_id), headers))
            return *answer;
}

std::vector<std::int64_t> rejected_ids(const std::string& dev_id) {
    lock_relation("events", RowExclusiveLock); // before rows of `rejected`, as forget() locks both
    begin_batch();
    std::vector<std::int64_t> ids;
    as_owner(owner_of_tables(), [&] {
        const SPITupleTable* const rows = select_rejected_ids.run({text_parameter(dev_id)});
        for (std::uint64_t i = 0; i < Query::rows(); ++i)
            ids.push_back(DatumGetInt64(column(rows, i, 1).value));
    });
    return ids;
}

std::optional<Answer> replay(const std::string& dev_id, std::int64_t rejected_id) {
    const Query::Parameter id{INT8OID, NullableValue(Int64GetDatum(rejected_id))};
    std::optional<Answer> answer;
    std::optional<Delivery> delivery = lock_rejected(dev_id, id);
    if (!delivery)
        return answer;
    const Headers headers = read_headers(view_of(delivery->headers), received_micros(*delivery));
    while (!answer) {
        const Route route =
            delivery->by_header && headers.dev_id ? look_up_route(dev_id, *headers.dev_id) : Route{.dev_id = dev_id};
        if (route.by_header && signing_policy_by_header(route.dev_id, dev_id, received_micros(*delivery)).required) {
            // When the delivery came, its signature was not checked for this environment.
            answer = {.outcome = "rejected",
                      .http_status = 401,
                      .detail = "it belongs to environment \"" + route.dev_id + "\", which requires signatures"};
            break;
        }
        delivery->dev_id = route.dev_id;
        answer = deliver(*delivery, route, headers);
    }
    if (answer && (answer->event_id || answer->outcome == forgotten_outcome))
        as_owner(owner_of_tables(), [&] { delete_rejected.run({text_parameter(dev_id), id}); });
    return answer;
}

} // namespace terra_identity
