#include "pg/door.h"

#include "core/headers.h"

#include "pg/delivery.h"
#include "pg/json_input.h"
#include "pg/query.h"
#include "pg/relations.h"
#include "pg/settings.h"
#include "pg/signing.h"

namespace terra_identity::pg {
namespace {

std::string_view bytes_of(Datum datum) {
    auto* const value =
        call([datum] { return pg_detoast_datum_packed(reinterpret_cast<struct varlena*>(DatumGetPointer(datum))); });
    return {VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};
}

JsonbView view_of(const NullableValue& jsonb) {
    return jsonb.is_null ? JsonbView() : JsonbView(detoasted_jsonb(jsonb.value));
}

Query insert_event = R"(
    INSERT INTO terra_identity.events AS e (dev_id, received_at, payload, headers) VALUES ($1, $2, $3, $4)
    RETURNING e.event_id, e.problem)";

Query select_delivery = R"(
    SELECT e.event_id FROM terra_identity.deliveries d
    JOIN terra_identity.events e ON e.dev_id = d.dev_id AND e.event_id = d.event_id
    WHERE d.dev_id = $1 AND d.trace_id = $2)";

/// A trigger of the application's that skipped the event after its trace id was taken.
Query delete_delivery = R"(
    DELETE FROM terra_identity.deliveries d WHERE d.dev_id = $1 AND d.trace_id = $2
      AND NOT EXISTS (SELECT FROM terra_identity.events e WHERE e.dev_id = d.dev_id AND e.event_id = d.event_id))";

Query insert_rejected = R"(
    INSERT INTO terra_identity.rejected (dev_id, received_at, trace_id, body, headers, reason)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT DO NOTHING)";

/// Whether it is to be logged: once a minute will do, for whoever has no secret must not fill the disk.
Query count_refusal = R"(
    INSERT INTO terra_identity.refusals AS r (dev_id, reason, refused, first_at, last_at, logged_at)
    VALUES ($1, $2, 1, $3, $3, $3)
    ON CONFLICT (dev_id, reason) DO UPDATE
    SET refused = r.refused + excluded.refused,
        last_at = greatest(r.last_at, excluded.last_at),
        logged_at = CASE WHEN excluded.logged_at > r.logged_at + interval '1 minute' THEN excluded.logged_at
                         ELSE r.logged_at END
    RETURNING r.logged_at = $3, r.refused)";

Query::Parameter parameter(TimestampTz time) { return {TIMESTAMPTZOID, NullableValue(TimestampTzGetDatum(time))}; }

/// 401: counted, but not kept, for whoever has no secret must not fill the disk.
Answer refuse(Oid owner, const Delivery& delivery, Verdict verdict) {
    const std::string reason(to_string(verdict));
    as_definer(owner, [&] {
        const SPITupleTable* const counted = count_refusal.run(
            {text_parameter(delivery.dev_id), text_parameter(reason), parameter(delivery.received_at)});
        if (!DatumGetBool(column(counted, 0, 1).value))
            return;
        const std::int64_t refused = DatumGetInt64(column(counted, 0, 2).value);
        call([&, dev_id = delivery.dev_id.c_str(), why = reason.c_str()] {
            ereport(LOG_SERVER_ONLY,
                    (errmsg("terra_identity refused a webhook: %s", why),
                     errdetail("Environment \"%s\" has refused %lld for this reason; told at most once a minute.",
                               dev_id, static_cast<long long>(refused)),
                     errhidestmt(true), errhidecontext(true)));
        });
    });
    return {.outcome = "rejected", .http_status = 401, .detail = reason};
}

/// 400: kept as it came, once for all retries of the delivery.
Answer reject(Oid owner, const Delivery& delivery, const std::optional<std::string>& trace_id, std::string reason) {
    as_definer(owner, [&] {
        insert_rejected.run({text_parameter(delivery.dev_id),
                             parameter(delivery.received_at),
                             {TEXTOID, trace_id},
                             {BYTEAOID, NullableValue(delivery.body)},
                             {JSONBOID, delivery.headers},
                             text_parameter(reason)});
    });
    return {.outcome = "rejected", .http_status = 400, .detail = std::move(reason)};
}

/// Why a payload that is JSON is refused all the same: what would be an error of an INSERT is not one here.
std::string problem_under_strict(Datum payload, const Headers& headers, Micros received_at) {
    if (!setting_strict())
        return {};
    const Event event = read_delivery(detoasted_jsonb(payload), headers, received_at);
    return event.problem.empty() ? std::string() : "invalid Terra event: " + event.problem;
}

/// Stores a delivery whose signature is good or not asked for.
Answer deliver(Oid owner, const Delivery& delivery) {
    const Micros received_at = micros_of(TimestampTzGetDatum(delivery.received_at));
    const Headers headers = read_headers(view_of(delivery.headers), received_at);
    JsonInput payload = read_jsonb(bytes_of(delivery.body));
    if (payload.problem.empty())
        payload.problem = problem_under_strict(payload.jsonb, headers, received_at);
    if (!payload.problem.empty())
        return reject(owner, delivery, headers.trace_id, std::move(payload.problem));

    std::optional<Answer> answer;
    as_definer(owner, [&] {
        const SPITupleTable* const stored = insert_event.run({text_parameter(delivery.dev_id),
                                                              parameter(delivery.received_at),
                                                              {JSONBOID, NullableValue(payload.jsonb)},
                                                              {JSONBOID, delivery.headers}});
        if (Query::rows() > 0) {
            const NullableValue problem = column(stored, 0, 2);
            answer = {.outcome = "stored",
                      .http_status = 200,
                      .event_id = DatumGetInt64(column(stored, 0, 1).value),
                      .detail = problem.is_null ? std::string() : string_of(problem.value)};
        } else if (headers.trace_id) {
            const SPITupleTable* const found =
                select_delivery.run({text_parameter(delivery.dev_id), text_parameter(*headers.trace_id)});
            if (Query::rows() > 0)
                answer = {
                    .outcome = "duplicate", .http_status = 200, .event_id = DatumGetInt64(column(found, 0, 1).value)};
            else
                delete_delivery.run({text_parameter(delivery.dev_id), text_parameter(*headers.trace_id)});
        }
    });
    if (!answer)
        return reject(owner, delivery, headers.trace_id, "a trigger on terra_identity.events skipped the event");
    return *answer;
}

Query select_rejected_ids = R"(
    SELECT r.rejected_id FROM terra_identity.rejected r WHERE r.dev_id = $1 ORDER BY r.rejected_id)";

Query select_rejected = R"(
    SELECT r.received_at, r.body, r.headers FROM terra_identity.rejected r WHERE r.dev_id = $1 AND r.rejected_id = $2
    FOR UPDATE SKIP LOCKED)";

Query delete_rejected = "DELETE FROM terra_identity.rejected r WHERE r.dev_id = $1 AND r.rejected_id = $2";

Oid owner_of_tables() {
    Table rejected("rejected", RowExclusiveLock);
    const Oid owner = rejected.owner();
    rejected.close();
    return owner;
}

} // namespace

Answer receive(const Delivery& delivery) {
    const Oid owner = owner_of_tables();
    const SigningPolicy policy =
        signing_policy(owner, delivery.dev_id, micros_of(TimestampTzGetDatum(delivery.received_at)));
    if (policy.required)
        if (const Verdict verdict =
                verify_body(read_signatures(view_of(delivery.headers)), policy.rules, bytes_of(delivery.body));
            verdict != Verdict::good)
            return refuse(owner, delivery, verdict);
    return deliver(owner, delivery);
}

std::vector<std::int64_t> rejected_ids(const std::string& dev_id) {
    std::vector<std::int64_t> ids;
    as_owner(owner_of_tables(), [&] {
        const SPITupleTable* const rows = select_rejected_ids.run({text_parameter(dev_id)});
        for (std::uint64_t i = 0; i < Query::rows(); ++i)
            ids.push_back(DatumGetInt64(column(rows, i, 1).value));
    });
    return ids;
}

std::optional<Answer> replay(const std::string& dev_id, std::int64_t rejected_id) {
    const Oid owner = owner_of_tables();
    std::optional<Answer> answer;
    as_definer(owner, [&] {
        const Query::Parameter id{INT8OID, NullableValue(Int64GetDatum(rejected_id))};
        const SPITupleTable* const row = select_rejected.run({text_parameter(dev_id), id});
        if (Query::rows() == 0)
            return;
        answer = deliver(owner, {.dev_id = dev_id,
                                 .received_at = DatumGetTimestampTz(column(row, 0, 1).value),
                                 .body = column(row, 0, 2).value,
                                 .headers = column(row, 0, 3)});
        if (answer->event_id)
            delete_rejected.run({text_parameter(dev_id), id});
    });
    return answer;
}

} // namespace terra_identity::pg
