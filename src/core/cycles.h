// Cycles of reauths: connections that replaced one another in a circle, which only Terra's mistakes can tell of. They
// are the strongly connected components of the graph of reauths that have more than one member.
#pragma once

#include "core/nodes.h"

#include <vector>

namespace terra_identity {

/// The cycles that are known; `node.cycle` is the number of a node's own, counted from 1.
class Cycles {
public:
    /// Numbers the members of a cycle, or of a single node that is on none.
    const std::vector<Node*>& add(std::vector<Node*> members);

    /// The members of the cycle of a node that has a number.
    const std::vector<Node*>& of(const Node& node) const { return cycles_[node.cycle - 1]; }

private:
    std::vector<std::vector<Node*>> cycles_;
};

inline bool are_on_one_cycle(const Node& a, const Node& b) { return a.cycle != 0 && a.cycle == b.cycle; }

/// The graph of all reauths between some nodes.
struct Components {
    /// The nodes that have links, each after those that it replaced; the members of one cycle next to one another.
    std::vector<Node*> predecessors_first;
    std::vector<std::vector<Node*>> cycles;
};

Components components_of(Nodes& nodes);

} // namespace terra_identity
