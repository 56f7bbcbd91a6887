#include "pg/delivery.h"

#include "pg/hmac.h"
#include "pg/query.h"

#include <utility>

namespace terra_identity::pg {
namespace {

Query insert_delivery = R"(
    INSERT INTO terra_identity.deliveries (dev_id, trace_id, digest, event_id) VALUES ($1, $2, $3, $4)
    ON CONFLICT DO NOTHING)";

} // namespace

Digest digest_of(const Jsonb* payload) {
    return sha256({reinterpret_cast<const char*>(&payload->root), VARSIZE(payload) - VARHDRSZ});
}

namespace {

DeliveryWatch* innermost_watch = nullptr;

} // namespace

DeliveryWatch::DeliveryWatch(std::int64_t event_id)
    : event_id_(event_id), outer_(std::exchange(innermost_watch, this)) {}

DeliveryWatch::~DeliveryWatch() { innermost_watch = outer_; }

bool take_delivery(Oid owner, const DeliveryKey& key, std::int64_t event_id) {
    bool first = false;
    as_owner(owner, [&] {
        insert_delivery.run({text_parameter(key.dev_id),
                             text_parameter(key.trace_id),
                             bytea_parameter(key.digest),
                             {INT8OID, NullableValue(Int64GetDatum(event_id))}});
        first = Query::rows() == 1;
    });
    for (DeliveryWatch* watch = innermost_watch; watch != nullptr; watch = watch->outer_)
        if (watch->event_id_ == event_id)
            (first ? watch->taken : watch->repeated) = key;
    return first;
}

Event read_delivery(const Jsonb* payload, const Headers& headers, Micros received_at) {
    return read_event(JsonbView(payload), headers, received_at);
}

const Jsonb* detoasted_jsonb(Datum datum) {
    auto* const value = reinterpret_cast<struct varlena*>(DatumGetPointer(datum));
    if (!VARATT_IS_EXTENDED(value))
        return reinterpret_cast<const Jsonb*>(value);
    return reinterpret_cast<const Jsonb*>(call([value] { return pg_detoast_datum(value); }));
}

JsonbView view_of(const NullableValue& jsonb) {
    return jsonb.is_null ? JsonbView() : JsonbView(detoasted_jsonb(jsonb.value));
}

} // namespace terra_identity::pg
