#include "pg/delivery.h"

#include "pg/query.h"

namespace terra_identity::pg {
namespace {

Query insert_delivery = R"(
    INSERT INTO terra_identity.deliveries (dev_id, trace_id, event_id) VALUES ($1, $2, $3)
    ON CONFLICT DO NOTHING)";

std::uint64_t taken = 0;

} // namespace

bool take_trace_id(Oid owner, const std::string& dev_id, const std::string& trace_id, Datum event_id) {
    bool first = false;
    as_owner(owner, [&] {
        insert_delivery.run({text_parameter(dev_id), text_parameter(trace_id), {INT8OID, NullableValue(event_id)}});
        first = Query::rows() == 1;
    });
    taken += first ? 1 : 0;
    return first;
}

std::uint64_t trace_ids_taken() { return taken; }

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
