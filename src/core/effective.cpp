// Effective provider_user_id: a connection's own, else that of the connection it replaced, and so on back.
#include "core/neighbourhood.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace terra_identity {
namespace {

std::optional<std::string> own_account(const Connection& connection) {
    const Register& own = connection.facts.provider_user_id;
    return own ? std::optional(own->value) : std::nullopt;
}

void derive_without_predecessors(Connection& connection) {
    connection.provider_user_id = own_account(connection);
    connection.cyclic = false;
}

/// Derives the effective accounts of the dirty nodes, taking those of all others as given. They are visited by Tarjan's
/// algorithm, predecessors first, without recursion: a chain of reauths may be long.
class EffectiveAccounts {
public:
    void derive(const std::vector<Node*>& dirty) {
        for (Node* const node : dirty)
            if (node->predecessors.empty())
                derive_without_predecessors(node->now);
            else if (!visits_.contains(node))
                visit(*node);
    }

private:
    struct Visit {
        std::size_t index = 0;
        std::size_t low = 0;
        const Node* component = nullptr; ///< one node that stands for it; null until all of it is known
    };

    struct Frame {
        Node* node;
        std::size_t next_predecessor;
    };

    void enter(Node& node) {
        const std::size_t index = visits_.size();
        visits_[&node] = {index, index, nullptr};
        component_stack_.push_back(&node);
        frames_.push_back({&node, 0});
    }

    void visit(Node& root) {
        enter(root);
        while (!frames_.empty()) {
            Frame& frame = frames_.back();
            Node& node = *frame.node;
            Visit& mine = visits_.at(&node);
            if (frame.next_predecessor < node.predecessors.size()) {
                Node& predecessor = *node.predecessors[frame.next_predecessor++];
                if (!predecessor.dirty)
                    continue;
                const auto known = visits_.find(&predecessor);
                if (known == visits_.end())
                    enter(predecessor);
                else if (known->second.component == nullptr)
                    mine.low = std::min(mine.low, known->second.index);
                continue;
            }
            frames_.pop_back();
            if (!frames_.empty()) {
                Visit& parent = visits_.at(frames_.back().node);
                parent.low = std::min(parent.low, mine.low);
            }
            if (mine.low == mine.index)
                finish_component(node);
        }
    }

    void finish_component(const Node& root) {
        const auto first = std::find(component_stack_.rbegin(), component_stack_.rend(), &root).base() - 1;
        const std::vector<Node*> component(first, component_stack_.end());
        component_stack_.erase(first, component_stack_.end());
        for (const Node* const member : component)
            visits_.at(member).component = &root;
        for (Node* const member : component) {
            member->now.cyclic = component.size() > 1;
            member->now.provider_user_id = search(*member, root);
        }
    }

    bool is_in_component(const Node& node, const Node& component) const {
        const auto visit = visits_.find(&node);
        return visit != visits_.end() && visit->second.component == &component;
    }

    /// Depth first, newest predecessor first, no member of the cycle entered twice; what lies outside is given.
    std::optional<std::string> search(const Node& start, const Node& component) const {
        std::unordered_set<const Node*> visited;
        std::vector<const Node*> to_visit{&start};
        while (!to_visit.empty()) {
            const Node& node = *to_visit.back();
            to_visit.pop_back();
            if (!is_in_component(node, component)) {
                if (node.now.provider_user_id)
                    return node.now.provider_user_id;
                continue;
            }
            if (!visited.insert(&node).second)
                continue;
            if (node.now.facts.provider_user_id)
                return own_account(node.now);
            if (node.now.sdk)
                continue;
            // The last is the first to be taken from the stack: the newest.
            to_visit.insert(to_visit.end(), node.predecessors.begin(), node.predecessors.end());
            std::sort(to_visit.end() - static_cast<std::ptrdiff_t>(node.predecessors.size()), to_visit.end(),
                      [](const Node* a, const Node* b) { return is_older(a->now, b->now); });
        }
        return std::nullopt;
    }

    std::unordered_map<const Node*, Visit> visits_;
    std::vector<Frame> frames_;
    std::vector<Node*> component_stack_;
};

/// Nodes, each once.
class Dirty {
public:
    void add(Node& node) {
        if (!std::exchange(node.dirty, true))
            nodes_.push_back(&node);
    }

    void clear() {
        for (Node* const node : nodes_)
            node->dirty = false;
        nodes_.clear();
    }

    const std::vector<Node*>& nodes() const { return nodes_; }

private:
    std::vector<Node*> nodes_;
};

/// Adds the connections that take their account from these, because it or their order of newness has changed.
void add_heirs(Neighbourhood& neighbourhood, const std::vector<Node*>& changed, Dirty& dirty) {
    neighbourhood.require_reauths(changed);
    for (const Node* const node : changed)
        for (Node* const heir : node->successors)
            if (!heir->now.facts.provider_user_id && !heir->now.sdk)
                dirty.add(*heir);
}

/// Reauth cycles are derived as a whole: where one is met, so is everything that is linked to it.
void complete_cycles(Neighbourhood& neighbourhood, Dirty& dirty) {
    std::set<std::int64_t> cyclic;
    bool met = false;
    for (const Node* const node : dirty.nodes()) {
        met = met || node->now.cyclic; // stored so, or found in an earlier round
        if (!node->stored)
            continue;
        if (node->stored->cyclic)
            cyclic.insert(node->stored->lineage_id);
        met = met || neighbourhood.dissolved().contains(node->stored->lineage_id);
    }
    neighbourhood.dissolve(cyclic);
    if (!met && cyclic.empty())
        return;
    for (Node& node : neighbourhood.nodes())
        if (node.knows_reauths)
            dirty.add(node);
}

void apply_settings(const Rules& rules, Connection& connection) {
    connection.account_exclusive = rules.account_policy == AccountPolicy::replace;
    connection.sdk = connection.facts.provider && rules.sdk_providers.contains(connection.facts.provider->value);
}

} // namespace

void derive_effective_accounts(Neighbourhood& neighbourhood) {
    Dirty dirty;
    std::vector<Node*> changed;
    for (Node& node : neighbourhood.nodes()) {
        if (!node.touched)
            continue;
        apply_settings(neighbourhood.rules(), node.now);
        if (neighbourhood.complete() && node.predecessors.empty())
            derive_without_predecessors(node.now);
        else
            dirty.add(node);
        if (node.stored && node.stored->place() != node.now.place())
            changed.push_back(&node); // its newness
    }
    if (neighbourhood.complete())
        return EffectiveAccounts().derive(dirty.nodes());
    while (!dirty.nodes().empty()) {
        neighbourhood.require_reauths(dirty.nodes());
        complete_cycles(neighbourhood, dirty);
        std::vector<std::pair<Node*, std::optional<std::string>>> before;
        for (Node* const node : dirty.nodes())
            before.emplace_back(node, node->now.provider_user_id);
        EffectiveAccounts().derive(dirty.nodes());
        dirty.clear();
        for (const auto& [node, account] : before) {
            node->touched = true;
            if (node->now.provider_user_id != account)
                changed.push_back(node);
        }
        if (!changed.empty())
            add_heirs(neighbourhood, changed, dirty);
        changed.clear();
    }
}

} // namespace terra_identity
