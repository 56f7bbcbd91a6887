#include "pg/delivery.h"

#include "pg/guard.h"

#include <array>

namespace terra_identity::pg {
namespace {

/// Nothing else of an identity event is looked at.
constexpr std::array<std::string_view, 8> identity_members{"type",     "status",   "reference_id", "user",
                                                           "old_user", "new_user", "athlete",      "data"};

/// An element of `data`, a user object, an athlete: their own members, and nothing within these.
constexpr int member_depth = 2;

nlohmann::json identity_envelope(const JsonbView& payload) {
    nlohmann::json envelope = nlohmann::json::object();
    for (const std::string_view name : identity_members)
        if (const JsonbView value = payload.member(name); !value.is_null())
            envelope.emplace(name, value.to_nlohmann(member_depth));
    return envelope;
}

} // namespace

Event read_delivery(const Jsonb* payload, const Headers& headers, Micros received_at) {
    const JsonbView view(payload);
    if (view.is_object()) {
        const JsonbView type = view.member("type");
        const std::string_view name = type.is_string() ? trim(type.text()) : std::string_view();
        if (name.empty() || is_identity(kind_of_type(name)))
            return read_event(NlohmannView(identity_envelope(view)), headers, received_at);
    }
    return read_event(view, headers, received_at);
}

const Jsonb* detoasted_jsonb(Datum datum) {
    auto* const value = reinterpret_cast<struct varlena*>(DatumGetPointer(datum));
    if (!VARATT_IS_EXTENDED(value))
        return reinterpret_cast<const Jsonb*>(value);
    return reinterpret_cast<const Jsonb*>(call([value] { return pg_detoast_datum(value); }));
}

} // namespace terra_identity::pg
