// Collisions: what would become of the connections that are there if an end user connected a provider account now.
#pragma once

#include "core/rules.h"

#include <optional>
#include <string>
#include <string_view>

namespace terra_identity {

/// What follows for an active connection, or that nothing does.
struct Collision {
    std::string_view outcome; ///< one word for programs: see `would_duplicate` in sql/install/10_operations.sql
    std::string sentence;     ///< the same in English
};

/// The connection that somebody is about to make: newer than all that are there.
/// @param provider,provider_user_id,reference_id as a payload would give them; null if they are not known
Connection newcomer(const Rules& rules, const std::optional<std::string>& provider,
                    const std::optional<std::string>& provider_user_id, const std::optional<std::string>& reference_id);

/// What follows for an active connection of the newcomer's account, or of its end user and provider.
/// @param is_accepted whether the account may be shared
Collision collision(const Connection& newcomer, const Connection& present, bool is_accepted);

/// What to say if there is no such connection.
Collision no_collision(const Connection& newcomer);

} // namespace terra_identity
