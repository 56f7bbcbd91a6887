// The rules that users set in `environments` and `providers`, and what they set in a connection.
#pragma once

#include "core/connection.h"

#include <array>
#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace terra_identity {

enum class AccountPolicy { keep, replace };

/// The policy of this name; null for any other word.
std::optional<AccountPolicy> account_policy_of(std::string_view word);

/// What is done about a duplicate at Terra: nothing, or all but the newest, or all but the oldest connection of the
/// account are deauthenticated.
enum class OnDuplicate { report, disconnect_older, disconnect_newer };

/// Convert it to its word in SQL and back. `on_duplicate_of` returns null for an unknown word.
std::string_view to_string(OnDuplicate on_duplicate);
std::optional<OnDuplicate> on_duplicate_of(std::string_view word);

using ProviderSet = std::set<std::string, std::less<>>;

/// The providers that are connected by an SDK on the person's device, unless `providers` contradicts.
inline constexpr std::array<std::string_view, 5> built_in_sdk_providers{"APPLE", "FREESTYLELIBRESDK", "GOOGLEFIT",
                                                                        "HEALTH_CONNECT", "SAMSUNG"};

/// From so many active connections on, an account is suspicious: a family that shares a device is smaller. The provider
/// may report the same account for everybody.
inline constexpr std::size_t crowd = 5;

/// The rules of one environment, and the rules of all providers.
struct Rules {
    AccountPolicy account_policy = AccountPolicy::keep;
    OnDuplicate on_duplicate = OnDuplicate::report;
    ProviderSet sdk_providers;      ///< connected by an SDK on the person's device
    ProviderSet unusable_providers; ///< whose account ids do not identify accounts: they give no account slots
};

/// Sets `sdk`, `account_exclusive` and `account_unusable`, which depend on the rules and the provider alone.
void apply_rules(const Rules& rules, Connection& connection);

} // namespace terra_identity
