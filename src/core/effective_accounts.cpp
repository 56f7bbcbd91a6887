#include "core/effective_accounts.h"

#include "core/cycle_search.h"
#include "core/interrupts.h"

#include <queue>
#include <utility>

namespace terra_identity {
namespace {

std::optional<std::string> own_account(const Connection& connection) {
    const Register& own = connection.facts.provider_user_id;
    return own ? std::optional(own->value) : std::nullopt;
}

/// Whether a connection takes the account of a predecessor. With an SDK provider it does not: the account is a device,
/// and a new connection may be on another device.
bool inherits(const Node& node) { return !node.now.facts.provider_user_id && !node.now.sdk; }

/// Finds the newest connection that has an account.
class Newest {
public:
    void consider(const Connection& connection, bool has_account) {
        if (has_account && (newest_ == nullptr || is_older(*newest_, connection)))
            newest_ = &connection;
    }

    const Connection* found() const { return newest_; }
    std::optional<std::string> account() const { return newest_ ? newest_->provider_user_id : std::nullopt; }

private:
    const Connection* newest_ = nullptr;
};

/// The account for those members of a cycle that have none of their own: that of the newest member that has one, else
/// that of the newest connection outside the cycle that a member replaced. All take the same, because a cycle has no
/// order.
std::optional<std::string> account_of_cycle(const std::vector<Node*>& cycle) {
    Newest member, predecessor;
    for (const Node* const node : interruptible(cycle)) {
        member.consider(node->now, node->now.facts.provider_user_id.has_value());
        if (!node->now.sdk)
            for (const Link* const link : node->predecessors)
                if (link->old_node->cycle != node->cycle)
                    predecessor.consider(link->old_node->now, link->old_node->now.provider_user_id.has_value());
    }
    return member.found() != nullptr ? own_account(*member.found()) : predecessor.account();
}

/// The effective account of the newest predecessor that has one.
std::optional<std::string> account_of_predecessors(const Node& node) {
    Newest predecessor;
    for (const Link* const link : node.predecessors)
        predecessor.consider(link->old_node->now, link->old_node->now.provider_user_id.has_value());
    return predecessor.account();
}

void derive_cycle(const std::vector<Node*>& cycle) {
    const std::optional<std::string> shared = account_of_cycle(cycle);
    for (Node* const node : interruptible(cycle))
        node->now.provider_user_id = inherits(*node) ? shared : own_account(node->now);
}

/// Derives the accounts of the nodes whose account may have changed, and of the heirs of each node whose account has:
/// the nodes that replaced it.
///
/// The oldest waiting node is derived first. A node or cycle takes its account only from its predecessors, and
/// derive_newness makes these older. So all its waiting predecessors are derived before it, and none of them waits
/// again afterwards: each node is derived once, and the queue becomes empty, in any graph. (The members of a cycle have
/// no such order, and are derived together.)
class EffectiveAccounts {
public:
    explicit EffectiveAccounts(Neighbourhood& neighbourhood) : neighbourhood_(neighbourhood) {}

    void derive(const std::vector<Node*>& moved) {
        std::vector<Node*> heirs;
        for (Node& node : interruptible(neighbourhood_.nodes()))
            if (may_have_changed(node)) {
                push(node);
                if (node.stored && inherits(node))
                    heirs.push_back(&node);
            }
        neighbourhood_.require_reauths(heirs);
        neighbourhood_.require_reauths(moved);
        for (Node* const node : interruptible(moved))
            for (const Link* const link : node->successors)
                if (has_choice(*link->new_node))
                    push_heir(*link->new_node, *node);
        while (!waiting_.empty()) {
            check_interrupts();
            Node& node = *waiting_.top().node;
            waiting_.pop();
            if (std::exchange(node.queued, false))
                derive(node);
        }
    }

private:
    struct Waiting {
        Place place;
        Node* node;
        bool operator<(const Waiting& other) const { return place > other.place; }
    };

    static bool may_have_changed(const Node& node) {
        return node.touched && (!node.stored || node.relinked || node.stored->sdk != node.now.sdk ||
                                node.stored->facts.provider_user_id != node.now.facts.provider_user_id);
    }

    void push(Node& node) {
        if (!std::exchange(node.queued, true))
            waiting_.push({node.now.place(), &node});
    }

    /// Whether a change in the order of newness may make the node take the account of another predecessor.
    static bool has_choice(const Node& node) {
        return node.now.cyclic || !node.knows_reauths || node.predecessors.size() > 1;
    }

    void push_heir(Node& heir, const Node& changed) {
        if (!inherits(heir) && !heir.now.cyclic)
            return;
        heir.follows(changed);
        push(heir);
    }

    void derive(Node& node) {
        std::vector<Node*> derived{&node};
        if (node.now.cyclic)
            derived = cycle_of(neighbourhood_, node);
        else if (inherits(node))
            neighbourhood_.require_reauths(derived);
        std::vector<std::optional<std::string>> before;
        before.reserve(derived.size());
        for (const Node* const one : derived)
            before.push_back(one->now.provider_user_id);
        if (derived.size() > 1) {
            for (Node* const one : derived)
                one->queued = false;
            neighbourhood_.require_reauths(derived);
            derive_cycle(derived);
        } else {
            node.now.provider_user_id = inherits(node) ? account_of_predecessors(node) : own_account(node.now);
        }
        std::vector<Node*> changed;
        for (std::size_t i = 0; i < derived.size(); ++i)
            if (derived[i]->now.provider_user_id != before[i])
                changed.push_back(derived[i]);
        neighbourhood_.require_reauths(changed);
        for (Node* const one : changed) {
            one->touched = true;
            for (const Link* const link : one->successors)
                if (link->new_node->cycle == 0 || link->new_node->cycle != one->cycle)
                    push_heir(*link->new_node, *one);
        }
    }

    Neighbourhood& neighbourhood_;
    std::priority_queue<Waiting> waiting_;
};

} // namespace

const Connection* account_giver(const std::vector<const Connection*>& predecessors) {
    Newest newest;
    for (const Connection* const predecessor : predecessors)
        newest.consider(*predecessor, predecessor->provider_user_id.has_value());
    return newest.found();
}

void derive_effective_accounts(Everything& everything) {
    for (Node& node : interruptible(everything.nodes))
        node.now.provider_user_id = own_account(node.now);
    std::uint32_t derived_cycle = 0;
    for (Node* const node : interruptible(everything.predecessors_first))
        if (node->cycle == 0) {
            if (inherits(*node))
                node->now.provider_user_id = account_of_predecessors(*node);
        } else if (std::exchange(derived_cycle, node->cycle) != node->cycle) {
            derive_cycle(everything.cycles.of(*node));
        }
}

void derive_effective_accounts(Neighbourhood& neighbourhood, const std::vector<Node*>& moved) {
    EffectiveAccounts(neighbourhood).derive(moved);
}

} // namespace terra_identity
