// Counts deliveries that are not kept, by reason: refused ones, and those of people who were forgotten.
#pragma once

#include <cstdint>
#include <string>

#include "pg/guard.h"

namespace terra_identity::tables {

using namespace pg;

/// The reason under which deliveries of forgotten people are counted.
inline constexpr char forgotten_reason[] = "forgotten";

/// Counts deliveries of an environment in a counter that no other transaction has locked, so that nobody waits.
/// @return whether this is to be logged: at most once a minute for each counter
bool count_refusals(const std::string& dev_id, const std::string& reason, TimestampTz at, std::int64_t count = 1);

} // namespace terra_identity::tables
