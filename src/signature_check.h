// The check of a delivery's signature: what `ingest` and `webhook` ask before they take a body, and verify_signature()
// of SQL. The rule itself is in core/signature.h; whether an environment asks for signatures, and which secrets are
// valid, in tables/signing_secrets.h.
#pragma once

#include "core/signature.h"

#include <string>
#include <string_view>
#include <vector>

namespace terra_identity {

/// Whether any of the signature headers stands for the body, and why not.
/// @param signed_content if not null: a hash of what was signed, time and body, whatever the secret
Verdict check_signature(const std::vector<std::string>& headers, const SignatureRules& rules, std::string_view body,
                        Digest* signed_content = nullptr);

} // namespace terra_identity
