#include "core/cycle_search.h"

#include "core/interrupts.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace terra_identity {
namespace {

enum class Along { predecessors, successors };

/// A search along reauths, in one direction. It visits each node once.
class Search {
public:
    Search(Neighbourhood& neighbourhood, Node& start, Along along) : neighbourhood_(neighbourhood), along_(along) {
        add(start);
    }

    /// Whether the search has visited every node that it found.
    bool done() const { return next_ == found_.size(); }

    bool has_found(const Node& node) const { return seen_.contains(&node); }
    const std::vector<Node*>& found() const { return found_; }

    /// Visits one more node, and finds the nodes next to it.
    /// @param cycles_only finds only nodes that are on a cycle
    void advance(bool cycles_only = false) {
        check_interrupts();
        Node* const node = found_[next_++];
        neighbourhood_.require_reauths({node});
        for (const Link* const link : along_ == Along::successors ? node->successors : node->predecessors)
            if (Node& end = along_ == Along::successors ? *link->new_node : *link->old_node;
                !cycles_only || end.now.cyclic)
                add(end);
    }

private:
    void add(Node& node) {
        if (seen_.insert(&node).second)
            found_.push_back(&node);
    }

    Neighbourhood& neighbourhood_;
    Along along_;
    std::vector<Node*> found_;
    std::size_t next_ = 0;
    std::unordered_set<const Node*> seen_;
};

/// The strongly connected component of a node: the nodes that it leads to and that lead to it.
/// @param cycles_only as in Search::advance
std::vector<Node*> component_of(Neighbourhood& neighbourhood, Node& node, bool cycles_only) {
    Search forward(neighbourhood, node, Along::successors), backward(neighbourhood, node, Along::predecessors);
    while (!forward.done())
        forward.advance(cycles_only);
    while (!backward.done())
        backward.advance(cycles_only);
    std::vector<Node*> members = forward.found();
    std::erase_if(members, [&](const Node* member) { return !backward.has_found(*member); });
    return members;
}

/// Whether reauths may lead from `from` to `to`. False without a search if both are stored in different lineages:
/// stored reauths link connections of one lineage, unless they are transfers.
bool may_have_path(Neighbourhood& neighbourhood, const Node& from, const Node& to) {
    if (are_on_one_cycle(from, to))
        return false; // the cycle is known
    return neighbourhood.has_new_links() || !from.stored || !to.stored ||
           from.stored->lineage_id == to.stored->lineage_id || neighbourhood.has_transfers();
}

/// Whether reauths lead from `from` to `to`. Searches from both ends in turn until one of the searches is complete, so
/// that the cost is that of the shorter one.
bool has_path(Neighbourhood& neighbourhood, Node& from, Node& to) {
    Search forward(neighbourhood, from, Along::successors), backward(neighbourhood, to, Along::predecessors);
    while (!forward.done() && !backward.done()) {
        forward.advance();
        backward.advance();
        if (forward.has_found(to) || backward.has_found(from))
            return true;
    }
    return false;
}

} // namespace

const std::vector<Node*>& cycle_of(Neighbourhood& neighbourhood, Node& node) {
    if (node.cycle != 0)
        return neighbourhood.cycles().of(node);
    return neighbourhood.cycles().add(node.now.cyclic ? component_of(neighbourhood, node, true) : std::vector{&node});
}

void link_and_find_cycle(Neighbourhood& neighbourhood, Node& old_node, Node& new_node, bool transfer) {
    const bool is_new = Nodes::find_link(old_node, new_node) == nullptr;
    const bool closes_cycle = is_new && !old_node.predecessors.empty() && !new_node.successors.empty() &&
                              may_have_path(neighbourhood, new_node, old_node) &&
                              has_path(neighbourhood, new_node, old_node);
    neighbourhood.link(old_node, new_node, transfer);
    new_node.relinked = new_node.relinked || is_new;
    if (!closes_cycle)
        return;
    for (Node* const member : neighbourhood.cycles().add(component_of(neighbourhood, old_node, false))) {
        member->touched = true;
        member->follows(new_node);
    }
}

} // namespace terra_identity
