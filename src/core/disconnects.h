// Disconnects: which connections of a shared account are to be deauthenticated at Terra, under the environment's
// on_duplicate.
#pragma once

#include "core/derived.h"
#include "core/rules.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace terra_identity {

/// What follows for the connections of one account.
struct Disconnects {
    std::vector<std::string> user_ids; ///< to be disconnected, the oldest first
    std::string_view why_not;          ///< why the other connections of the account are not

    bool contains(std::string_view user_id) const;
};

/// What follows for an account. It never names all of its active connections.
/// @param is_accepted whether the account may be shared
/// @param active the account's active connections, which are of as many end users, or one would have superseded the
/// other; of more than `crowd` that many are enough
Disconnects disconnects_of(OnDuplicate on_duplicate, bool is_accepted, const std::vector<Connection>& active);

/// The accounts for which something else may follow after a derivation, each with the event that caused it (0: none).
std::map<Account, std::int64_t> accounts_to_disconnect(const Derived& derived);

/// How long a failed attempt is waited for, after so many attempts: half a minute, then twice as long each time, up to
/// an hour.
Micros wait_after(std::int64_t attempts);

} // namespace terra_identity
