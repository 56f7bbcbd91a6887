#include "pg/delivery.h"

#include "pg/guard.h"

namespace terra_identity::pg {

Event read_delivery(const Jsonb* payload, const Headers& headers, Micros received_at) {
    return read_event(JsonbView(payload), headers, received_at);
}

const Jsonb* detoasted_jsonb(Datum datum) {
    auto* const value = reinterpret_cast<struct varlena*>(DatumGetPointer(datum));
    if (!VARATT_IS_EXTENDED(value))
        return reinterpret_cast<const Jsonb*>(value);
    return reinterpret_cast<const Jsonb*>(call([value] { return pg_detoast_datum(value); }));
}

} // namespace terra_identity::pg
