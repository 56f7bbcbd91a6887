#include "core/changes.h"

#include "core/duplicates.h"
#include "core/interrupts.h"
#include "core/rules.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace terra_identity {
namespace {

bool comes_before(const Node* a, const Node* b) {
    return a->now.lineage_id != b->now.lineage_id ? a->now.lineage_id < b->now.lineage_id : is_older(a->now, b->now);
}

/// The accounts on which duplicates open or close.
std::set<Account> told_accounts(const Nodes& nodes) {
    std::set<Account> result;
    for (const Node& node : interruptible(nodes))
        for (const auto& account : {opened_duplicate(node), closed_duplicate(node)})
            if (account)
                result.insert(*account);
    return result;
}

/// Everybody who is on some accounts at one moment, for the feed.
class Holders {
public:
    /// @param side the state of a node at that moment; null if it has none
    Holders(const Nodes& nodes, const std::set<Account>& accounts, const Connection* (*side)(const Node&)) {
        for (const Account& account : accounts)
            holders_[account];
        if (holders_.empty())
            return;
        for (const Node& node : interruptible(nodes)) {
            const Connection* const connection = side(node);
            if (connection == nullptr || connection->status != Status::active || !connection->has_account())
                continue;
            const auto found = holders_.find(*connection->account());
            if (found != holders_.end() && found->second.size() <= max_named_holders)
                found->second.push_back(connection);
        }
    }

    /// How many connections the account has; if they are more than are named, one more than these.
    std::size_t count(const Account& account) const { return holders_.at(account).size(); }

    /// The connections of an account, the newest first; null if there are more than are named.
    JsonTree of(const Account& account) const {
        std::vector<const Connection*> holders = holders_.at(account);
        if (holders.size() > max_named_holders)
            return {};
        std::sort(holders.begin(), holders.end(),
                  [](const Connection* a, const Connection* b) { return is_older(*b, *a); });
        JsonTree result = JsonTree::array();
        for (const Connection* holder : holders)
            result.push_back({{"user_id", holder->user_id}, {"reference_id", holder->reference_id()}});
        return result;
    }

private:
    std::map<Account, std::vector<const Connection*>> holders_;
};

class Changes {
public:
    explicit Changes(const Derived& derived) : Changes(derived, told_accounts(derived.nodes)) {}

    std::vector<Change> collect() {
        std::vector<const Node*> nodes;
        for (const Node& node : interruptible(derived_.nodes))
            if (node.changed())
                nodes.push_back(&node);
        std::sort(nodes.begin(), nodes.end(), [](const Node* a, const Node* b) {
            return std::pair(a->event_id, a->now.connection_id) < std::pair(b->event_id, b->now.connection_id);
        });
        for (const Node* node : interruptible(nodes))
            add_node(*node);
        for (const ReauthOfNobody& reauth : derived_.reauths_of_nobody)
            add_reauth_of_nobody(reauth);
        for (const Dispute& dispute : derived_.disputes)
            add_dispute(dispute);
        return std::move(changes_);
    }

private:
    Changes(const Derived& derived, const std::set<Account>& accounts)
        : derived_(derived), holders_before_(derived.nodes, accounts,
                                             [](const Node& node) -> const Connection* { return node.stored.get(); }),
          holders_(derived.nodes, accounts, [](const Node& node) -> const Connection* { return &node.now; }) {
        for (const Node& node : interruptible(derived.nodes))
            by_lineage_.push_back(&node);
        std::sort(by_lineage_.begin(), by_lineage_.end(), comes_before);
    }

    void add_node(const Node& node) {
        node_ = &node;
        add_status();
        add_lineage();
        add_facts();
        add_duplicate();
    }

    void add_status() {
        const auto& stored = node_->stored;
        const Connection& now = node_->now;
        const bool was_active = stored && stored->status == Status::active;
        if (now.status == Status::active) {
            const Node* previous = previous_of_lineage();
            if (stored && !was_active)
                add("revived", {{"previous_status", to_string(stored->status)}});
            else if (previous != nullptr && (!stored || came_to(*previous)))
                add("reconnected", {{"old_user_id", previous->now.user_id}});
            else if (!stored)
                add("connected", JsonTree());
        } else if (!stored || stored->status != now.status) {
            JsonTree detail{{"successor_user_id", now.successor_user_id},
                            {"previous_status", stored ? JsonTree(to_string(stored->status)) : JsonTree()}};
            if (const auto slot = now.status == Status::superseded ? shared_slot(now, successor()) : std::nullopt)
                detail["rule"] = rule_of(*slot);
            add(to_string(now.status), std::move(detail));
        }
        const bool has_new_successor = now.successor_user_id && (!stored || stored->status != now.status ||
                                                                 stored->successor_user_id != now.successor_user_id);
        if (has_new_successor && is_transferred())
            add("transferred", {{"from_user_id", now.user_id},
                                {"from_reference_id", now.reference_id()},
                                {"to_user_id", *now.successor_user_id},
                                {"to_reference_id", successor().reference_id()}});
    }

    const Connection& successor() const { return derived_.nodes.at(*node_->now.successor_user_id).now; }

    /// Whether the account moved to another end user: to a newer connection in the account slot, or to the successor by
    /// reauths that each name two end users.
    bool is_transferred() const {
        const Connection& now = node_->now;
        if (now.status == Status::superseded)
            return is_taken_over(now, successor());
        return std::any_of(node_->successors.begin(), node_->successors.end(), [&now](const Link* link) {
            return link->transfer && link->new_node->now.user_id == now.successor_user_id;
        });
    }

    void add_lineage() {
        const Connection& now = node_->now;
        if (!node_->stored || node_->stored->lineage_id == now.lineage_id)
            return;
        const std::int64_t from = node_->stored->lineage_id;
        if (!told_lineages_.emplace(from, now.lineage_id).second)
            return;
        if (now.lineage_id < from)
            add("lineage_merged", {{"merged_lineage_id", from}});
        else
            add("anomaly", {{"reason", "a link of the lineage was taken back"}, {"previous_lineage_id", from}});
    }

    void add_facts() {
        const auto& stored = node_->stored;
        const Connection& now = node_->now;
        if (now.provider_user_id && (!stored || stored->provider_user_id != now.provider_user_id))
            add("account_identified",
                {{"provider_user_id", *now.provider_user_id},
                 {"previous_provider_user_id", stored ? stored->provider_user_id : std::nullopt}});
        if (now.facts.degraded_at && (!stored || stored->facts.degraded_at != now.facts.degraded_at))
            add("degraded", JsonTree());
        if (now.cyclic && !(stored && stored->cyclic))
            add("anomaly", {{"reason", "its reauths form a cycle"}});
        if (!stored)
            return;
        if (stored->reference_id() != now.reference_id())
            add("reference_changed", {{"previous_reference_id", stored->reference_id()}});
        if (stored->scopes() != now.scopes())
            add("scopes_changed", {{"scopes", now.scopes()}, {"previous_scopes", stored->scopes()}});
        if (stored->provider() && stored->provider() != now.provider())
            add("anomaly", {{"reason", "its provider changed"}, {"previous_provider", *stored->provider()}});
    }

    void add_duplicate() {
        const auto detail = [](const Account& account, const Holders& holders) -> JsonTree {
            return {{"provider", account.provider},
                    {"provider_user_id", account.provider_user_id},
                    {"connections", holders.of(account)}};
        };
        if (const auto account = closed_duplicate(*node_))
            add("duplicate_closed", detail(*account, holders_before_));
        if (const auto account = opened_duplicate(*node_)) {
            add("duplicate_opened", detail(*account, holders_));
            add_crowd(*account);
        }
    }

    /// Tells once that an account has become suspicious.
    void add_crowd(const Account& account) {
        if (holders_before_.count(account) < crowd && holders_.count(account) >= crowd &&
            told_crowds_.insert(account).second)
            add("anomaly", {{"reason", "many end users are on one account"},
                            {"provider", account.provider},
                            {"provider_user_id", account.provider_user_id}});
    }

    void add_reauth_of_nobody(const ReauthOfNobody& reauth) {
        node_ = &derived_.nodes.at(reauth.new_user_id);
        add("anomaly",
            {{"reason", "its user_reauth names no old connection"}, {"candidates", JsonTree::array(reauth.candidates)}},
            reauth.event_id);
    }

    void add_dispute(const Dispute& dispute) {
        node_ = &derived_.nodes.at(dispute.user_id);
        add("anomaly",
            {{"reason", "an event names another reference_id"}, {"named_reference_id", dispute.reference_id}},
            dispute.event_id);
    }

    /// The newest loaded connection of the same lineage that is older than this one; null if there is none.
    const Node* previous_of_lineage() const {
        const auto mine = std::lower_bound(by_lineage_.begin(), by_lineage_.end(), node_, comes_before);
        const bool is_first = mine == by_lineage_.begin() || (*(mine - 1))->now.lineage_id != node_->now.lineage_id;
        return is_first ? nullptr : *(mine - 1);
    }

    /// Whether both connections were stored before, in different lineages.
    bool came_to(const Node& other) const {
        return other.stored && node_->stored && other.stored->lineage_id != node_->stored->lineage_id;
    }

    void add(std::string_view kind, JsonTree detail) { add(kind, std::move(detail), node_->event_id); }

    void add(std::string_view kind, JsonTree detail, std::int64_t event_id) {
        changes_.push_back({event_id, std::string(kind), node_->now.user_id, node_->now.lineage_id,
                            node_->now.reference_id(), std::move(detail)});
    }

    const Derived& derived_;
    const Holders holders_before_; ///< before the derivation
    const Holders holders_;        ///< after it
    const Node* node_ = nullptr;
    std::vector<const Node*> by_lineage_; ///< sorted by lineage, within a lineage the oldest first
    std::set<std::pair<std::int64_t, std::int64_t>> told_lineages_;
    std::set<Account> told_crowds_;
    std::vector<Change> changes_;
};

} // namespace

std::vector<Change> changes_of(const Derived& derived) { return Changes(derived).collect(); }

} // namespace terra_identity
