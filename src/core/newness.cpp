#include "core/newness.h"

#include "core/cycle_search.h"

#include <algorithm>
#include <queue>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace terra_identity {
namespace {

/// A microsecond before the first of the connections that replaced it, but for those on one cycle with it. Of its cycle
/// and theirs the numbers have to be known.
Micros connected_at(const Node& node) {
    Micros result = node.now.facts.connected_at();
    for (const Link* const link : node.successors)
        if (!are_on_one_cycle(node, *link->new_node))
            result = std::min(result, link->new_node->now.connected_at - 1);
    return result;
}

/// Has the cycles known that `connected_at` has to know.
void find_cycles(Neighbourhood& neighbourhood, Node& node) {
    if (!node.now.cyclic)
        return;
    cycle_of(neighbourhood, node);
    // What finds a cycle may load links of this node.
    for (std::size_t i = 0; i < node.successors.size(); ++i)
        if (Node& successor = *node.successors[i]->new_node; successor.now.cyclic)
            cycle_of(neighbourhood, successor);
}

/// The touched nodes are derived one after another, each after those that replaced it; after each, what was replaced
/// before it, as far back as that changes. So each node is mostly derived once. If nodes turn out to be derived again
/// and again, everything that was replaced before the touched nodes is loaded instead, and derived in order.
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
        for (Node& node : neighbourhood_.nodes())
            if (node.touched && (!node.stored || node.stored->place() != node.now.place()))
                moved.push_back(&node);
        return moved;
    }

private:
    /// As it was when it began to wait.
    struct Waiting {
        Micros connected_at;
        Node* node;
        bool operator<(const Waiting& other) const { return connected_at < other.connected_at; }
    };

    /// By a batch whose times lie badly, or by a cycle that the store does not know as one, which would have no end.
    bool derived_too_often() const { return derived_ > 4 * neighbourhood_.nodes().size(); }

    /// All that are to be derived in any case, queued.
    std::vector<Node*> find_touched() {
        std::vector<Node*> touched, replaced;
        for (Node& node : neighbourhood_.nodes())
            if (node.touched) {
                touched.push_back(&node);
                if (node.now.facts.replaced)
                    replaced.push_back(&node);
            }
        neighbourhood_.require_reauths(replaced);
        for (Node* const node : touched) {
            node->queued = true;
            if (!node->stored)
                node->now.connected_at = node->now.facts.connected_at();
        }
        return touched;
    }

    /// Orders nodes so that each comes after those that replaced it. Where stored links between them are not loaded,
    /// the newer ones of a lineage count as replacing the older. Without recursion: a chain of reauths may be long.
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
        for (Node* const first : touched) {
            if (seen.insert(first).second)
                path.push_back({first});
            while (!path.empty()) {
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

    /// Each once, after those that replaced it.
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
        for (Node* const node : nodes)
            node->queued = true; // that what is derived does not wait
        for (Node* const node : nodes)
            if (node->predecessors.empty() && node->successors.empty())
                derive(*node);
        const std::vector<Node*> linked = components_of(neighbourhood_.nodes()).predecessors_first;
        for (auto node = linked.rbegin(); node != linked.rend(); ++node)
            if (seen.contains(*node))
                derive(**node);
        for (Node* const node : nodes)
            node->queued = false;
    }

    void derive(Node& node) {
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
            neighbourhood_.require_reauths({&predecessor}); // what else replaced it counts too
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
    for (Node& node : everything.nodes)
        node.now.connected_at = node.now.facts.connected_at();
    const std::vector<Node*>& linked = everything.predecessors_first;
    for (auto node = linked.rbegin(); node != linked.rend(); ++node)
        (*node)->now.connected_at = connected_at(**node);
}

std::vector<Node*> derive_newness(Neighbourhood& neighbourhood) { return Newness(neighbourhood).derive(); }

} // namespace terra_identity
