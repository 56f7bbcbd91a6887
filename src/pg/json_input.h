// Bytes that may be JSON, read by the server's own jsonb input: what it refuses is refused.
#pragma once

#include <string>
#include <string_view>

#include "pg/guard.h"

namespace terra_identity::pg {

struct JsonInput {
    Datum jsonb = 0;     ///< in the current memory context, if there is no problem
    std::string problem; ///< why the bytes cannot be jsonb; empty if they can
};

/// Never fails for what the bytes are. What the server suffers meanwhile (out of memory, cancel) raises.
JsonInput read_jsonb(std::string_view bytes);

} // namespace terra_identity::pg
