// Sharers: the loaded connections that share a provider account, or the reference slot of an SDK provider.
#pragma once

#include "core/nodes.h"

#include <vector>

namespace terra_identity {

/// Two or more nodes: those of one end user next to one another, the oldest of them first.
using Sharers = std::vector<Node*>;

struct SharedSlots {
    std::vector<Sharers> accounts;   ///< for each account that several connections have: these connections
    std::vector<Sharers> references; ///< for each reference slot that several connections have: these connections
};

/// Finds the accounts and reference slots that several nodes share.
SharedSlots shared_slots_of(Nodes& nodes);

} // namespace terra_identity
