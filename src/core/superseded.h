// Statuses. A connection is superseded if a newer live connection shares one of its slots; the oldest of these is its
// successor. All other statuses follow from the connection's own facts.
#pragma once

#include "core/everything.h"
#include "core/neighbourhood.h"

namespace terra_identity {

/// Sets `status`, `successor_user_id` and `ended_at` of all connections.
void derive_statuses(Everything& everything);

/// Sets `status`, `successor_user_id` and `ended_at` of the touched nodes and of their neighbours in the slots that
/// they leave or enter.
void derive_statuses(Neighbourhood& neighbourhood);

} // namespace terra_identity
