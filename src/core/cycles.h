// Cycles of reauths: connections that replaced one another in a circle. Only wrong reauths from Terra can make one. A
// cycle is a strongly connected component, of more than one member, in the graph of reauths.
#pragma once

#include "core/nodes.h"

#include <vector>

namespace terra_identity {

/// The cycles that have been found. `node.cycle` is the number of the node's cycle, counted from 1.
class Cycles {
public:
    /// Gives a number to the members of a cycle, or to a single node that is on none, and returns them.
    const std::vector<Node*>& add(std::vector<Node*> members);

    /// The members of a node's cycle. The node must have a number.
    const std::vector<Node*>& of(const Node& node) const { return cycles_[node.cycle - 1]; }

private:
    std::vector<std::vector<Node*>> cycles_;
};

inline bool are_on_one_cycle(const Node& a, const Node& b) { return a.cycle != 0 && a.cycle == b.cycle; }

/// The strongly connected components of some nodes.
struct Components {
    /// The nodes that have links, each after the nodes that it replaced. The members of a cycle are next to one
    /// another.
    std::vector<Node*> predecessors_first;
    std::vector<std::vector<Node*>> cycles;
};

Components components_of(Nodes& nodes);

} // namespace terra_identity
