// Sharers: the loaded connections that meet in a provider account, or in the reference slot of an SDK provider.
#pragma once

#include "core/nodes.h"

#include <vector>

namespace terra_identity {

/// Two or more nodes, those of one end user next to one another, the oldest of these first.
using Sharers = std::vector<Node*>;

struct SharedSlots {
    std::vector<Sharers> accounts;   ///< for each account that several connections have, these
    std::vector<Sharers> references; ///< for each SDK provider of which an end user has several connections, these
};

SharedSlots shared_slots_of(Nodes& nodes);

} // namespace terra_identity
