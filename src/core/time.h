// Times: microseconds since 1970-01-01 00:00 UTC, and the two forms in which Terra sends them.
#pragma once

#include "core/fence.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace terra_identity {

using Micros = std::int64_t;

inline constexpr Micros micros_per_second = 1'000'000;
inline constexpr Micros micros_per_day = 86'400 * micros_per_second;

/// `created_at`: ISO 8601 date and time, seconds, fraction and zone optional, UTC where it names no zone.
/// Null for anything else. What is finer than a microsecond is cut off.
std::optional<Micros> parse_iso8601(std::string_view text);

/// `X-Terra-Ordering-Timestamp`: 1 to 18 digits, milliseconds since 1970. Null for anything else.
std::optional<Micros> parse_ordering_timestamp(std::string_view text);

/// The time in ISO 8601, UTC, microseconds where it has some; outside the years -32767 to 32767 as a number.
std::string format_iso8601(Micros time);

/// 2015-01-01 00:00 UTC, before there was Terra.
inline constexpr Micros earliest_believed = 1'420'070'400 * micros_per_second;

/// A time that the sender gave, or null if it cannot be: more than a day after the delivery was received, for a clock
/// gone wrong must not win for ever; or before Terra was there (Go's year 1, seconds taken for milliseconds).
constexpr std::optional<Micros> believed(std::optional<Micros> time, Micros received_at) {
    return time && *time >= earliest_believed && *time <= received_at + micros_per_day ? time : std::nullopt;
}

} // namespace terra_identity
