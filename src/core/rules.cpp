#include "core/rules.h"

namespace terra_identity {

std::optional<AccountPolicy> account_policy_of(std::string_view word) {
    if (word == "keep")
        return AccountPolicy::keep;
    if (word == "replace")
        return AccountPolicy::replace;
    return std::nullopt;
}

void apply_rules(const Rules& rules, Connection& connection) {
    const Register& provider = connection.facts.provider;
    connection.sdk = provider && rules.sdk_providers.contains(provider->value);
    connection.account_exclusive = rules.account_policy == AccountPolicy::replace && !connection.sdk;
    connection.account_unusable = provider && rules.unusable_providers.contains(provider->value);
}

} // namespace terra_identity
