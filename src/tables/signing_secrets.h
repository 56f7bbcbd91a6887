// The signing secrets of an environment, and its policy on signatures.
#pragma once

#include "core/signature.h"

#include <string>

#include "pg/datum.h"

namespace terra_identity::tables {

using namespace pg;

/// What an environment requires of signatures.
struct SigningPolicy {
    bool required = false;
    SignatureRules rules; ///< set if signatures are required
};

/// The policy of an environment, as committed last. Raises an error if signatures are required and no secret is valid,
/// because then the fault is not the sender's.
SigningPolicy signing_policy(const std::string& dev_id, Micros at);

/// The policy for a delivery that its header leads to another environment than the default one. Headers are not signed,
/// so if the default environment requires signatures, this delivery requires one too.
SigningPolicy signing_policy_by_header(const std::string& dev_id, const std::string& default_dev_id, Micros at);

/// Adds a secret, and makes the environment require signatures. For a secret that exists it changes `valid_until`.
/// @return the secret_id
std::int64_t set_signing_secret(const std::string& dev_id, Datum secret, const NullableValue& valid_until);

} // namespace terra_identity::tables
