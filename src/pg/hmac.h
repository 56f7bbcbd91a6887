// HMAC-SHA256 as the server itself computes it.
#pragma once

#include "core/signature.h"

#include <string_view>

namespace terra_identity::pg {

/// The HMAC-SHA256 of prefix and body under the secret. A cancel is honoured while it runs.
Digest hmac_sha256(std::string_view secret, std::string_view prefix, std::string_view body);

} // namespace terra_identity::pg
