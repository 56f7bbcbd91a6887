// What is kept of an event that names forgotten people. See forget() in sql/install/10_operations.sql.
#pragma once

#include "core/event.h"

#include <string>

#include "pg/jsonb.h"

namespace terra_identity {

enum class Kept { whole, without_reference_at_top, without_old_user, not_at_all };

/// What is kept of an event. A user_reauth from a forgotten connection to one of another end user is kept for the
/// other's sake, without the old one. Whether its new user is another person is only known from the reference_id that
/// it has of its own.
/// @param payload the event's
/// @param is_entered whether a role entered it, which may name what stands in the place of forgotten people
/// @throws Error TI005 if there are tombstones, but not the key of all of them
Kept kept(const std::string& dev_id, const Event& event, const Jsonb* payload, bool is_entered);

} // namespace terra_identity
