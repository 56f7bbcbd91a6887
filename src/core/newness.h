// Newness: when a connection counts as connected. By its own events, but always before whatever replaced it, however
// late its own events come.
#pragma once

#include "core/everything.h"
#include "core/neighbourhood.h"

#include <vector>

namespace terra_identity {

/// Sets `now.connected_at` of all.
void derive_newness(Everything& everything);

/// Sets `now.connected_at` of the touched nodes and of all that were replaced before them; marks as touched those that
/// it changes. @return those whose place changed
std::vector<Node*> derive_newness(Neighbourhood& neighbourhood);

} // namespace terra_identity
