#include "core/newness.h"

#include "core/cycle_search.h"
#include "core/interrupts.h"

#include <algorithm>
#include <queue>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace terra_identity {
namespace {

/// When a node counts as connected: at the time of its facts, but at least a microsecond before each connection that
/// replaced it and is not on one cycle with it. The cycles of the node and of its successors must be known.
Micros connected_at(const Node& node) {
    Micros result = node.now.facts.connected_at();
    for (const Link* const link : node.successors)
        if (!are_on_one_cycle(node, *link->new_node))
            result = std::min(result, link->new_node->now.connected_at - 1);
    return result;
}

/// Finds the cycles that `connected_at` needs: those of the node and of its successors.
void find_cycles(Neighbourhood& neighbourhood, Node& node) {
    if (!node.now.cyclic)
        return;
    cycle_of(neighbourhood, node);
    // By index, because cycle_of may load more links of this node.
    for (std::size_t i = 0; i < node.successors.size(); ++i)
        if (Node& successor = *node.successors[i]->new_node; successor.now.cyclic)
            cycle_of(neighbourhood, successor);
}

/// Derives `connected_at` of the touched nodes, each after the nodes that replaced it. After each node it derives those
/// that the node replaced, and so on back, as long as times change. So most nodes are derived once. If nodes are
/// derived again and again, all predecessors of the touched nodes are loaded instead, and derived in order.
class Newness {
public:
    explicit Newness(Neighbourhood& neighbourhood) : neighbourhood_(neighbourhood) {}

    std::vector<Node*> derive() {
        const std::vector<Node*> touched = find_touched();
        for (Node* const node : in_order(touched)) {
            node->queued = false;
            derive(*node);
            while (!waiting_.empty() && !derived_too_often()) {
                Node& predecessor = *waiting_.top().node;
                waiting_.pop();
                predecessor.queued = false;
                derive(predecessor);
            }
            if (derived_too_often()) {
                derive_all_before(touched);
                break;
            }
        }
        std::vector<Node*> moved;
        for (Node& node : interruptible(neighbourhood_.nodes()))
            if (node.touched && (!node.stored || node.stored->place() != node.now.place()))
                moved.push_back(&node);
        return moved;
    }

private:
    /// A node in the queue, with its `connected_at` at the time when it was queued.
    struct Waiting {
        Micros connected_at;
        Node* node;
        bool operator<(const Waiting& other) const { return connected_at < other.connected_at; }
    };

    /// Whether nodes are derived again and again: because of the order of the times in a batch, or because of a cycle
    /// that is not stored as one and on which the derivation would never end.
    bool derived_too_often() const { return derived_ > 4 * neighbourhood_.nodes().size(); }

    /// Returns the touched nodes, which are derived in any case, and marks them as queued.
    std::vector<Node*> find_touched() {
        std::vector<Node*> touched, replaced;
        for (Node& node : interruptible(neighbourhood_.nodes()))
            if (node.touched) {
                touched.push_back(&node);
                if (node.now.facts.replaced)
                    replaced.push_back(&node);
            }
        neighbourhood_.require_reauths(replaced);
        for (Node* const node : interruptible(touched)) {
            node->queued = true;
            if (!node->stored)
                node->now.connected_at = node->now.facts.connected_at();
        }
        return touched;
    }

    /// Orders nodes so that each comes after the nodes that replaced it. Where stored reauths between them are not
    /// loaded, the newer ones of a lineage count as replacing the older. It does not recurse, because a chain of
    /// reauths may be long.
    static std::vector<Node*> in_order(std::vector<Node*> touched) {
        std::sort(touched.begin(), touched.end(), [](const Node* a, const Node* b) {
            const std::int64_t a_lineage = lineage_of(*a), b_lineage = lineage_of(*b);
            return a_lineage != b_lineage ? a_lineage < b_lineage : a->now.connected_at > b->now.connected_at;
        });
        std::unordered_map<const Node*, Node*> newer;
        for (std::size_t i = 1; i < touched.size(); ++i)
            if (touched[i]->stored && lineage_of(*touched[i - 1]) == lineage_of(*touched[i]))
                newer.emplace(touched[i], touched[i - 1]);
        struct Step {
            Node* node;
            std::size_t next = 0;
        };
        std::vector<Node*> result;
        std::vector<Step> path;
        std::unordered_set<const Node*> seen;
        for (Node* const first : interruptible(touched)) {
            if (seen.insert(first).second)
                path.push_back({first});
            while (!path.empty()) {
                check_interrupts();
                auto& [node, next] = path.back();
                const std::size_t i = next++;
                Node* before = nullptr;
                if (i < node->successors.size()) {
                    before = node->successors[i]->new_node;
                } else if (const auto found = newer.find(node); i == node->successors.size() && found != newer.end()) {
                    before = found->second;
                } else if (i >= node->successors.size()) {
                    result.push_back(node);
                    path.pop_back();
                    continue;
                }
                if (before != nullptr && before->queued && seen.insert(before).second)
                    path.push_back({before});
            }
        }
        return result;
    }

    static std::int64_t lineage_of(const Node& node) { return node.stored ? node.stored->lineage_id : 0; }

    void push(Node& node) {
        if (!std::exchange(node.queued, true))
            waiting_.push({node.now.connected_at, &node});
    }

    /// Derives these nodes and all nodes that were replaced before them: each once, after the nodes that replaced it.
    void derive_all_before(std::vector<Node*> nodes) {
        std::unordered_set<const Node*> seen(nodes.begin(), nodes.end());
        for (std::size_t first = 0; first < nodes.size();) {
            const std::vector<Node*> next(nodes.begin() + static_cast<std::ptrdiff_t>(first), nodes.end());
            first = nodes.size();
            neighbourhood_.require_reauths(next);
            for (const Node* const node : next)
                for (const Link* const link : node->predecessors)
                    if (seen.insert(link->old_node).second)
                        nodes.push_back(link->old_node);
        }
        for (Node* const node : interruptible(nodes))
            node->queued = true; // so that `derive` queues none of them
        for (Node* const node : interruptible(nodes))
            if (node->predecessors.empty() && node->successors.empty())
                derive(*node);
        const std::vector<Node*> linked = components_of(neighbourhood_.nodes()).predecessors_first;
        for (auto node = linked.rbegin(); node != linked.rend(); ++node)
            if (seen.contains(*node))
                derive(**node);
        for (Node* const node : interruptible(nodes))
            node->queued = false;
    }

    void derive(Node& node) {
        check_interrupts();
        ++derived_;
        const Micros before = node.now.connected_at;
        find_cycles(neighbourhood_, node);
        node.now.connected_at = connected_at(node);
        if (node.now.connected_at == before)
            return;
        node.touched = true;
        neighbourhood_.require_reauths({&node});
        for (const Link* const link : node.predecessors) {
            Node& predecessor = *link->old_node;
            neighbourhood_.require_reauths({&predecessor}); // all nodes that replaced the predecessor count
            predecessor.follows(node);
            push(predecessor);
        }
    }

    Neighbourhood& neighbourhood_;
    std::priority_queue<Waiting> waiting_;
    std::size_t derived_ = 0;
};

} // namespace

void derive_newness(Everything& everything) {
    for (Node& node : interruptible(everything.nodes))
        node.now.connected_at = node.now.facts.connected_at();
    const std::vector<Node*>& linked = everything.predecessors_first;
    for (auto node = linked.rbegin(); node != linked.rend(); ++node) {
        check_interrupts();
        (*node)->now.connected_at = connected_at(**node);
    }
}

std::vector<Node*> derive_newness(Neighbourhood& neighbourhood) { return Newness(neighbourhood).derive(); }

} // namespace terra_identity
