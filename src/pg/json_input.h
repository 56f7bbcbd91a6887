// Reads bytes as jsonb by the server's own input function. Refuses what that refuses, and values that are too large to
// be written out as text again.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "pg/guard.h"

namespace terra_identity::pg {

/// Twice that, and what it takes to write it out, is below the 1 GB that the server's values may have.
inline constexpr std::size_t max_body_bytes = 500'000'000;

struct JsonInput {
    Datum jsonb = 0;     ///< in the current memory context, if there is no problem
    std::string problem; ///< why the bytes cannot be jsonb; empty if they can
};

/// Never fails for what the bytes are. What the server suffers meanwhile (out of memory, cancel) raises.
/// @param what the bytes are, for the problem
JsonInput read_jsonb(std::string_view bytes, const char* what = "the body");

} // namespace terra_identity::pg
