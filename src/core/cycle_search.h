// Finds cycles of reauths. Only the connections that a search visits are loaded.
#pragma once

#include "core/neighbourhood.h"

#include <vector>

namespace terra_identity {

/// The members of the cycle of reauths that the node is on; the node alone if it is on none.
const std::vector<Node*>& cycle_of(Neighbourhood& neighbourhood, Node& node);

/// Links two connections by a reauth of this derivation. If that closes a cycle, marks its members as touched.
void link_and_find_cycle(Neighbourhood& neighbourhood, Node& old_node, Node& new_node, bool transfer);

} // namespace terra_identity
