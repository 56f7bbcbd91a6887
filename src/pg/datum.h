// Values between C++ and PostgreSQL.
#pragma once

#include "core/time.h"
#include "core/uuid.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pg/guard.h"

namespace terra_identity::pg {

/// timestamptz counts from 2000-01-01.
inline constexpr Micros postgres_epoch = static_cast<Micros>(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * micros_per_day;

inline Micros micros_of(Datum timestamptz) { return DatumGetTimestampTz(timestamptz) + postgres_epoch; }

/// Also for an infinite time, or one that does not fit 64 bits of microseconds since 1970: the nearest that does.
inline Micros nearest_micros_of(Datum timestamptz) {
    return std::min(DatumGetTimestampTz(timestamptz), INT64_MAX - postgres_epoch) + postgres_epoch;
}

inline Datum timestamptz_of(Micros time) { return TimestampTzGetDatum(time - postgres_epoch); }

/// An interval in microseconds, with months of 30 days. One that does not fit 64 bits is cut to the nearest that does.
Micros micros_of_interval(Datum interval);

/// A text datum, which may be compressed or out of line.
std::string string_of(Datum text);

/// A text or bytea datum in memory: itself, or detoasted in the current memory context.
Datum detoasted(Datum text);

/// Its bytes: in place, or detoasted in the current memory context.
std::string_view bytes_of(Datum text);

/// In the current memory context.
Datum text_of(std::string_view text);

/// A uuid datum, in the current memory context, and its value.
Datum uuid_of(const Uuid& value);
Uuid uuid_value(Datum uuid);

/// A text[] in the current memory context, empty strings and all; no nulls.
Datum text_array_of(const std::vector<std::string>& texts);

/// A value that may be null, as heap_form_tuple and SPI want it.
struct NullableValue {
    Datum value = 0;
    bool is_null = true;

    NullableValue() = default;
    NullableValue(Datum datum) : value(datum), is_null(false) {}
    NullableValue(Datum datum, bool null) : value(datum), is_null(null) {}
    NullableValue(const std::optional<std::string>& text) {
        if (text)
            *this = NullableValue(text_of(*text));
    }
    NullableValue(const std::optional<Micros>& time) {
        if (time)
            *this = NullableValue(timestamptz_of(*time));
    }
};

/// A column of a row, counted from 1; good as long as the row is.
NullableValue attribute(HeapTuple row, TupleDesc columns, int number);
inline NullableValue attribute(HeapTuple row, Relation relation, int number) {
    return attribute(row, RelationGetDescr(relation), number);
}

/// An argument of a function that the server calls.
inline NullableValue argument(FunctionCallInfo fcinfo, int number) {
    return {PG_GETARG_DATUM(number), PG_ARGISNULL(number)};
}

/// The value as its type writes it, which its type can read, whatever the settings of the session are.
std::string text_to_read(Datum value, Oid type);

/// An array of an element type from values; null elements allowed.
Datum array_of(const std::vector<NullableValue>& values, Oid element_type);

} // namespace terra_identity::pg
