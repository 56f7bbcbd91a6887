// Newness: the time at which a connection counts as connected. It comes from the connection's own events, but is always
// before that of every connection that replaced it, however late its own events come.
#pragma once

#include "core/everything.h"
#include "core/neighbourhood.h"

#include <vector>

namespace terra_identity {

/// Sets `now.connected_at` of all connections.
void derive_newness(Everything& everything);

/// Sets `now.connected_at` of the touched nodes, of the nodes that they replaced, and so on back. Marks the nodes that
/// it changes as touched. @return the nodes whose place in the order of newness changed
std::vector<Node*> derive_newness(Neighbourhood& neighbourhood);

} // namespace terra_identity
