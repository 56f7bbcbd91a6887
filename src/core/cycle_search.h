// Finds cycles of reauths among connections that are loaded only as far as they are looked at.
#pragma once

#include "core/neighbourhood.h"

#include <vector>

namespace terra_identity {

/// The members of the cycle of reauths that a node is on: itself alone if on none.
const std::vector<Node*>& cycle_of(Neighbourhood& neighbourhood, Node& node);

/// Links two connections by an event of this derivation, and finds the cycle that this may close: its members are
/// touched.
void link_and_find_cycle(Neighbourhood& neighbourhood, Node& old_node, Node& new_node, bool transfer);

} // namespace terra_identity
