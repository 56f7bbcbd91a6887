// Cycles of reauths: connections that replaced one another in a circle, which only Terra's mistakes can tell of. They
// are the strongly connected components of the graph of reauths that have more than one member.
#include "core/neighbourhood.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace terra_identity {
namespace {

/// Tarjan's algorithm over all linked nodes, without recursion: a chain of reauths may be long. A component is complete
/// when all that it replaced is, so that components come out predecessors first.
class Components {
public:
    explicit Components(Nodes& nodes) : visits_(nodes.size()) {
        for (Node& node : nodes)
            if (!(node.predecessors.empty() && node.successors.empty()) && visits_[node.number].index == 0)
                visit(node);
    }

    std::vector<Node*> predecessors_first;
    std::vector<std::vector<Node*>> cycles;

private:
    struct Visit {
        std::size_t index = 0; ///< counted from 1; 0: not visited
        std::size_t low = 0;
        bool complete = false;
    };

    struct Frame {
        Node* node;
        std::size_t next_predecessor;
    };

    void enter(Node& node) {
        ++visited_;
        visits_[node.number] = {visited_, visited_, false};
        open_.push_back(&node);
        frames_.push_back({&node, 0});
    }

    void visit(Node& root) {
        enter(root);
        while (!frames_.empty()) {
            Frame& frame = frames_.back();
            Node& node = *frame.node;
            Visit& mine = visits_[node.number];
            if (frame.next_predecessor < node.predecessors.size()) {
                Node& predecessor = *node.predecessors[frame.next_predecessor++]->old_node;
                const Visit& known = visits_[predecessor.number];
                if (known.index == 0)
                    enter(predecessor);
                else if (!known.complete)
                    mine.low = std::min(mine.low, known.index);
                continue;
            }
            frames_.pop_back();
            if (!frames_.empty()) {
                Visit& parent = visits_[frames_.back().node->number];
                parent.low = std::min(parent.low, mine.low);
            }
            if (mine.low == mine.index)
                complete(node);
        }
    }

    void complete(const Node& root) {
        const auto first = std::find(open_.rbegin(), open_.rend(), &root).base() - 1;
        for (auto member = first; member != open_.end(); ++member)
            visits_[(*member)->number].complete = true;
        predecessors_first.insert(predecessors_first.end(), first, open_.end());
        if (open_.end() - first > 1)
            cycles.emplace_back(first, open_.end());
        open_.erase(first, open_.end());
    }

    std::vector<Visit> visits_; ///< by the number of the node
    std::size_t visited_ = 0;
    std::vector<Frame> frames_;
    std::vector<Node*> open_; ///< visited, and of components that are not complete
};

enum class Along { predecessors, successors };

/// A search along reauths, one node after another, each once.
class Search {
public:
    Search(Neighbourhood& neighbourhood, Node& start, Along along) : neighbourhood_(neighbourhood), along_(along) {
        add(start);
    }

    /// Whether there is nothing more to find.
    bool done() const { return next_ == found_.size(); }

    bool has_found(const Node& node) const { return seen_.contains(&node); }
    const std::vector<Node*>& found() const { return found_; }

    /// Finds what is next to one more node. @param cycles_only does not leave the members of cycles
    void advance(bool cycles_only = false) {
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

/// The component of a node: what it leads to and what leads to it.
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

} // namespace

std::vector<Node*> Neighbourhood::predecessors_first() { return Components(nodes_).predecessors_first; }

const std::vector<Node*>& Neighbourhood::linked_nodes() {
    if (linked_nodes_.empty() && !nodes_.links().empty()) {
        Components components(nodes_);
        linked_nodes_ = std::move(components.predecessors_first);
        for (std::vector<Node*>& cycle : components.cycles)
            add_cycle(std::move(cycle));
    }
    return linked_nodes_;
}

void Neighbourhood::add_cycle(std::vector<Node*> members) {
    cycles_.push_back(std::move(members));
    for (Node* const member : cycles_.back()) {
        member->cycle = static_cast<std::uint32_t>(cycles_.size());
        member->now.cyclic = cycles_.back().size() > 1;
    }
}

const std::vector<Node*>& Neighbourhood::cycle_of(Node& node) {
    if (node.cycle == 0)
        add_cycle(node.now.cyclic ? component_of(*this, node, true) : std::vector{&node});
    return cycles_[node.cycle - 1];
}

/// What is linked and stored so is of one lineage, but for transfers.
bool Neighbourhood::may_have_path(const Node& from, const Node& to) {
    if (from.cycle != 0 && from.cycle == to.cycle)
        return false; // it is known
    return has_new_links_ || !from.stored || !to.stored || from.stored->lineage_id == to.stored->lineage_id ||
           store_.has_transfers();
}

/// Searches from both ends in turn: it takes as long as the shorter way does that ends.
bool Neighbourhood::has_path(Node& from, Node& to) {
    Search forward(*this, from, Along::successors), backward(*this, to, Along::predecessors);
    while (!forward.done() && !backward.done()) {
        forward.advance();
        backward.advance();
        if (forward.has_found(to) || backward.has_found(from))
            return true;
    }
    return false;
}

void Neighbourhood::link_and_find_cycle(const Reauth& reauth) {
    Node& old_node = at(reauth.old_user_id);
    Node& new_node = at(reauth.new_user_id);
    const bool is_new = Nodes::find_link(old_node, new_node) == nullptr;
    const bool closes_cycle = is_new && !old_node.predecessors.empty() && !new_node.successors.empty() &&
                              may_have_path(new_node, old_node) && has_path(new_node, old_node);
    nodes_.link(old_node, new_node, reauth.transfer);
    has_new_links_ = has_new_links_ || is_new;
    new_node.relinked = new_node.relinked || is_new;
    if (!closes_cycle)
        return;
    add_cycle(component_of(*this, old_node, false));
    for (Node* const member : cycles_.back()) {
        member->touched = true;
        member->follows(new_node);
    }
}

} // namespace terra_identity
