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

/// Reads `created_at`: an ISO 8601 date and time. Seconds, fraction and zone are optional; the default zone is UTC.
/// Digits after the microseconds are cut off. Null for anything else.
std::optional<Micros> parse_iso8601(std::string_view text);

/// Reads `X-Terra-Ordering-Timestamp`: 1 to 18 digits, milliseconds since 1970. Null for anything else.
std::optional<Micros> parse_ordering_timestamp(std::string_view text);

/// The time in ISO 8601, in UTC, with microseconds if there are any. Outside the years -32767 to 32767: as a number.
std::string format_iso8601(Micros time);

/// The earliest time that is believed, 2015-01-01 00:00 UTC: Terra did not exist before.
inline constexpr Micros earliest_believed = 1'420'070'400 * micros_per_second;

/// Returns a time that the sender gave, or null if it is not believed: it is more than a day after the delivery was
/// received (a clock gone wrong must not win for ever), or before Terra existed (Go's year 1, seconds taken for
/// milliseconds).
constexpr std::optional<Micros> believed(std::optional<Micros> time, Micros received_at) {
    return time && *time >= earliest_believed && *time <= received_at + micros_per_day ? time : std::nullopt;
}

} // namespace terra_identity
