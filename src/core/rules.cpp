#include "core/rules.h"

namespace terra_identity {

std::optional<AccountPolicy> account_policy_of(std::string_view word) {
    if (word == "keep")
        return AccountPolicy::keep;
    if (word == "replace")
        return AccountPolicy::replace;
    return std::nullopt;
}

std::string_view to_string(OnDuplicate on_duplicate) {
    switch (on_duplicate) {
    case OnDuplicate::report:
        return "report";
    case OnDuplicate::disconnect_older:
        return "disconnect_older";
    case OnDuplicate::disconnect_newer:
        return "disconnect_newer";
    }
    return ""; // never
}

std::optional<OnDuplicate> on_duplicate_of(std::string_view word) {
    for (const OnDuplicate known : {OnDuplicate::report, OnDuplicate::disconnect_older, OnDuplicate::disconnect_newer})
        if (word == to_string(known))
            return known;
    return std::nullopt;
}

void apply_rules(const Rules& rules, Connection& connection) {
    const Register& provider = connection.facts.provider;
    connection.sdk = provider && rules.sdk_providers.contains(provider->value);
    connection.account_exclusive = rules.account_policy == AccountPolicy::replace && !connection.sdk;
    connection.account_unusable = provider && rules.unusable_providers.contains(provider->value);
}

} // namespace terra_identity
