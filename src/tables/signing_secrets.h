// The secrets that an environment's deliveries are signed with, and what it asks of a signature.
#pragma once

#include "core/signature.h"

#include <string>

#include "pg/datum.h"

namespace terra_identity::tables {

using namespace pg;

struct SigningPolicy {
    bool required = false;
    SignatureRules rules; ///< if required
};

/// The policy of an environment as it was committed last. An error if it requires signatures and no secret is valid:
/// that is not the sender's fault.
SigningPolicy signing_policy(const std::string& dev_id, Micros at);

/// The policy for a delivery that its header leads away from the default environment: nobody signs headers, so that one
/// must not lead past signatures that the default environment requires.
SigningPolicy signing_policy_by_header(const std::string& dev_id, const std::string& default_dev_id, Micros at);

/// Adds a secret, from when on the environment requires signatures; changes its end if it is there already.
/// @return the secret_id
std::int64_t set_signing_secret(const std::string& dev_id, Datum secret, const NullableValue& valid_until);

} // namespace terra_identity::tables
