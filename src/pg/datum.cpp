#include "pg/datum.h"

#include <algorithm>

extern "C" {
#include "utils/uuid.h"
}

namespace terra_identity::pg {

namespace {
namespace raising {

char* text_to_read(Datum value, Oid type) {
    const int nest_level = NewGUCNestLevel();
    const auto set = [](const char* name, const char* setting) {
        set_config_option(name, setting, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
    };
    set("datestyle", "ISO");
    set("intervalstyle", "postgres");
    set("extra_float_digits", "3");
    set("bytea_output", "hex");
    Oid function = InvalidOid;
    bool is_varlena = false;
    getTypeOutputInfo(type, &function, &is_varlena);
    char* const text = OidOutputFunctionCall(function, value);
    AtEOXact_GUC(true, nest_level);
    return text;
}

} // namespace raising
} // namespace

std::string text_to_read(Datum value, Oid type) {
    return call([=] { return raising::text_to_read(value, type); });
}

Micros micros_of_interval(Datum datum) {
    const Interval* const interval = DatumGetIntervalP(datum);
    const double days = 30.0 * interval->month + interval->day;
    const double micros = days * static_cast<double>(micros_per_day) + static_cast<double>(interval->time);
    constexpr double limit = 0x1.fffffffffffffp62; // the greatest double below 2^63
    return static_cast<Micros>(std::clamp(micros, -limit, limit));
}

Datum detoasted(Datum text) {
    auto* const value = reinterpret_cast<struct varlena*>(DatumGetPointer(text));
    if (!VARATT_IS_COMPRESSED(value) && !VARATT_IS_EXTERNAL(value))
        return text;
    return PointerGetDatum(call([value] { return pg_detoast_datum_packed(value); }));
}

std::string_view bytes_of(Datum text) {
    const auto* const value = reinterpret_cast<const struct varlena*>(DatumGetPointer(detoasted(text)));
    return {VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};
}

std::string string_of(Datum text) { return std::string(bytes_of(text)); }

Datum text_of(std::string_view text) {
    return call(
        [text] { return PointerGetDatum(cstring_to_text_with_len(text.data(), static_cast<int>(text.size()))); });
}

Datum uuid_of(const Uuid& value) {
    auto* const uuid = static_cast<pg_uuid_t*>(call([] { return palloc(sizeof(pg_uuid_t)); }));
    std::copy(value.begin(), value.end(), uuid->data);
    return UUIDPGetDatum(uuid);
}

Uuid uuid_value(Datum uuid) {
    Uuid value;
    std::copy_n(DatumGetUUIDP(uuid)->data, value.size(), value.begin());
    return value;
}

NullableValue attribute(HeapTuple row, TupleDesc columns, int number) {
    bool is_null = true;
    const Datum value = heap_getattr(row, number, columns, &is_null);
    return {value, is_null};
}

Datum array_of(const std::vector<NullableValue>& values, Oid element_type) {
    return call([&values, element_type] {
        const int count = static_cast<int>(values.size());
        auto* const datums = static_cast<Datum*>(palloc(sizeof(Datum) * (values.size() + 1)));
        auto* const nulls = static_cast<bool*>(palloc(sizeof(bool) * (values.size() + 1)));
        for (int i = 0; i < count; ++i) {
            datums[i] = values[static_cast<std::size_t>(i)].value;
            nulls[i] = values[static_cast<std::size_t>(i)].is_null;
        }
        int16 length;
        bool by_value;
        char align;
        get_typlenbyvalalign(element_type, &length, &by_value, &align);
        int dimensions[1] = {count}, lower_bounds[1] = {1};
        ArrayType* const array =
            construct_md_array(datums, nulls, 1, dimensions, lower_bounds, element_type, length, by_value, align);
        return PointerGetDatum(array);
    });
}

Datum text_array_of(const std::vector<std::string>& texts) {
    std::vector<NullableValue> values;
    values.reserve(texts.size());
    for (const std::string& text : texts)
        values.emplace_back(text_of(text));
    return array_of(values, TEXTOID);
}

} // namespace terra_identity::pg
