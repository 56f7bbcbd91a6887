// Checks the signature of a delivery, for `ingest` and `webhook` and for the SQL function verify_signature(). The rule
// itself is in core/signature.h. Whether an environment requires signatures, and which secrets are valid, is in
// tables/signing_secrets.h.
#pragma once

#include "core/signature.h"

#include <string>
#include <string_view>
#include <vector>

#include "tables/deliveries.h"

namespace terra_identity {

using tables::SignedContent;

/// Checks the signature headers of a body: whether any of them is good, else why not.
/// @param signed_content if not null: receives what a good signature has signed, which is the same for every secret
Verdict check_signature(const std::vector<std::string>& headers, const SignatureRules& rules, std::string_view body,
                        SignedContent* signed_content = nullptr);

} // namespace terra_identity
