#include "core/derivation.h"

#include <algorithm>
#include <utility>

namespace terra_identity {

Derivation Derivation::of_everything(Store& store, const Rules& rules, std::vector<Connection> stored,
                                     const std::vector<Reauth>& stored_reauths) {
    Derivation derivation{Neighbourhood(store, rules, true)};
    derivation.neighbourhood_.adopt(std::move(stored));
    for (const Reauth& reauth : stored_reauths)
        derivation.link(reauth);
    return derivation;
}

void Derivation::require(const std::vector<std::string>& user_ids) { neighbourhood_.require(user_ids); }

void Derivation::tell(const Contribution& contribution, std::int64_t event_id) {
    Node& node = neighbourhood_.at(contribution.user_id);
    node.now.facts.merge(contribution.facts);
    node.told = node.touched = true;
    node.event_id = std::max(node.event_id, event_id);
}

void Derivation::link(const Reauth& reauth) {
    bool& transfer = told_reauths_.emplace(std::pair(reauth.old_user_id, reauth.new_user_id), true).first->second;
    transfer = transfer && reauth.transfer;
}

void Derivation::replace_facts(Fold ledger) {
    vanished_ = neighbourhood_.replace(std::move(ledger.nodes));
    for (const auto& [ends, transfer] : std::exchange(told_reauths_, {}))
        vanished_reauths_.insert({ends.first, ends.second, transfer});
    for (const Link& link : neighbourhood_.nodes().links())
        if (Reauth reauth = link.reauth(); vanished_reauths_.erase(reauth) == 0)
            new_reauths_.insert(std::move(reauth));
}

void Derivation::derive() {
    if (neighbourhood_.complete())
        for (const auto& [ends, transfer] : told_reauths_)
            neighbourhood_.link({ends.first, ends.second, transfer});
    else
        link_told();
    derive_settings(neighbourhood_);
    const std::vector<Node*> moved = derive_newness(neighbourhood_);
    derive_effective_accounts(neighbourhood_, moved);
    derive_statuses(neighbourhood_);
    derive_duplicates(neighbourhood_);
    moved_lineages_ = derive_lineages(neighbourhood_); // last: of everything that was loaded on the way
}

void Derivation::link_told() {
    std::vector<Node*> ends;
    for (const auto& [told, transfer] : told_reauths_)
        for (const std::string& end : {told.first, told.second})
            ends.push_back(&neighbourhood_.at(end));
    neighbourhood_.require_reauths(ends);
    for (const auto& [told, transfer] : told_reauths_) {
        const Node &old_node = neighbourhood_.at(told.first), &new_node = neighbourhood_.at(told.second);
        const Link* const known = Nodes::find_link(old_node, new_node);
        if (known != nullptr && known->transfer <= transfer)
            continue;
        if (known != nullptr)
            vanished_reauths_.insert(known->reauth());
        neighbourhood_.link_and_find_cycle({told.first, told.second, transfer});
        new_reauths_.insert({told.first, told.second, transfer});
    }
}

Keys Derivation::keys() const {
    Keys keys;
    const auto add_slots = [&keys](const Connection& connection) {
        for (const Slot& slot : connection.slots())
            keys.insert(
                SlotKey{slot.provider, slot.provider_user_id, slot.is_account() ? std::nullopt : slot.reference_id});
    };
    // A lineage of new connections alone needs no lock, and has another id in every attempt to derive it.
    std::set<std::int64_t> stored_lineages;
    for (const Node& node : neighbourhood_.nodes())
        if (node.stored)
            stored_lineages.insert(node.stored->lineage_id);
    for (const Node& node : neighbourhood_.nodes()) {
        if (node.told)
            keys.insert(ConnectionKey{node.now.user_id});
        if (node.evaluated || node.changed()) {
            add_slots(node.now);
            if (node.stored)
                add_slots(*node.stored);
        }
        if (!node.touched && !node.changed())
            continue;
        if (node.stored)
            keys.insert(LineageKey{node.stored->lineage_id});
        if (stored_lineages.contains(node.now.lineage_id))
            keys.insert(LineageKey{node.now.lineage_id});
    }
    // Whoever adds a reauth to a connection, or changes its place or account, holds its lineage.
    for (const Link& link : neighbourhood_.nodes().links())
        for (const Node* const end : {link.old_node, link.new_node})
            if (end->stored)
                keys.insert(LineageKey{end->stored->lineage_id});
    for (const auto& [from, to] : moved_lineages_) {
        keys.insert(LineageKey{from});
        keys.insert(LineageKey{to});
    }
    for (const std::int64_t lineage_id : neighbourhood_.dissolved())
        keys.insert(LineageKey{lineage_id});
    return keys;
}

} // namespace terra_identity
