// Bytes that may be JSON, read by the server's own jsonb input: what it refuses is refused, and what it could not write
// out again.
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
JsonInput read_jsonb(std::string_view bytes);

} // namespace terra_identity::pg
