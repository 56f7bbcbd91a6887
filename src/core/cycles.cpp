#include "core/cycles.h"

#include "core/interrupts.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace terra_identity {
namespace {

/// Finds the strongly connected components of all linked nodes by Tarjan's algorithm. It does not recurse, because a
/// chain of reauths may be long. A component is complete after all components that its members replaced, so that
/// predecessors come first.
class Tarjan {
public:
    explicit Tarjan(Nodes& nodes) : visits_(nodes.size()) {
        for (Node& node : interruptible(nodes))
            if (!(node.predecessors.empty() && node.successors.empty()) && visits_[node.number].index == 0)
                visit(node);
    }

    Components components;

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
            check_interrupts();
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
        components.predecessors_first.insert(components.predecessors_first.end(), first, open_.end());
        if (open_.end() - first > 1)
            components.cycles.emplace_back(first, open_.end());
        open_.erase(first, open_.end());
    }

    std::vector<Visit> visits_; ///< by the number of the node
    std::size_t visited_ = 0;
    std::vector<Frame> frames_;
    std::vector<Node*> open_; ///< visited nodes whose component is not complete
};

} // namespace

const std::vector<Node*>& Cycles::add(std::vector<Node*> members) {
    cycles_.push_back(std::move(members));
    for (Node* const member : interruptible(cycles_.back())) {
        member->cycle = static_cast<std::uint32_t>(cycles_.size());
        member->now.cyclic = cycles_.back().size() > 1;
    }
    return cycles_.back();
}

Components components_of(Nodes& nodes) { return Tarjan(nodes).components; }

} // namespace terra_identity
