// Collisions: what would become of the connections that are there if an end user connected a provider account now.
#pragma once

#include "core/disconnects.h"
#include "core/rules.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

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

/// Who is to be disconnected once the newcomer is there; the newcomer has no user_id.
/// @param present at least the active connections of its account
Disconnects disconnects_after(OnDuplicate on_duplicate, bool is_accepted, const Connection& newcomer,
                              const std::vector<Connection>& present);

/// What follows for an active connection of the newcomer's account, or of its end user and provider.
/// @param is_accepted whether the account may be shared
/// @param disconnects who is to be disconnected then
Collision collision(const Connection& newcomer, const Connection& present, bool is_accepted,
                    const Disconnects& disconnects = {});

/// What to say if there is no such connection.
Collision no_collision(const Connection& newcomer);

} // namespace terra_identity
