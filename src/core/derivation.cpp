#include "core/derivation.h"

#include <algorithm>
#include <utility>

namespace terra_identity {

Derivation Derivation::of_everything(Store& store, const Rules& rules, std::vector<Connection> stored,
                                     const std::vector<Reauth>& stored_reauths) {
    Derivation derivation{Neighbourhood(store, rules, true)};
    derivation.neighbourhood_.adopt(std::move(stored));
    derivation.told_reauths_.insert(stored_reauths.begin(), stored_reauths.end());
    return derivation;
}

void Derivation::require(const std::vector<std::string>& user_ids) { neighbourhood_.require(user_ids); }

void Derivation::tell(const Contribution& contribution, std::int64_t event_id) {
    Node& node = neighbourhood_.at(contribution.user_id);
    node.now.facts.merge(contribution.facts);
    node.touched = true;
    node.event_id = std::max(node.event_id, event_id);
}

void Derivation::link(const Reauth& reauth) { told_reauths_.insert(reauth); }

void Derivation::replace_facts(Fold ledger) {
    vanished_ = neighbourhood_.replace(std::move(ledger.nodes));
    vanished_reauths_ = std::exchange(told_reauths_, {});
    for (const Link& link : neighbourhood_.nodes().links())
        if (Reauth reauth = link.reauth(); vanished_reauths_.erase(reauth) == 0)
            new_reauths_.insert(std::move(reauth));
}

void Derivation::derive() {
    if (neighbourhood_.complete()) {
        for (const Reauth& reauth : told_reauths_)
            neighbourhood_.link(reauth);
    } else {
        link_told();
        dissolve_possible_cycles();
    }
    derive_effective_accounts(neighbourhood_);
    derive_statuses(neighbourhood_);
    derive_duplicates(neighbourhood_);
    moved_lineages_ = derive_lineages(neighbourhood_); // last: of everything that was loaded on the way
}

void Derivation::link_told() {
    std::vector<Node*> ends;
    for (const Reauth& reauth : told_reauths_)
        for (const std::string& end : {reauth.old_user_id, reauth.new_user_id})
            ends.push_back(&neighbourhood_.at(end));
    neighbourhood_.require_reauths(ends);
    for (const Reauth& reauth : told_reauths_)
        if (neighbourhood_.link(reauth))
            new_reauths_.insert(reauth);
}

/// A new reauth closes a cycle only if both its ends have others and were connected before: then what they are
/// connected to is loaded and derived as a whole.
void Derivation::dissolve_possible_cycles() {
    if (new_reauths_.empty())
        return;
    DisjointSets connected = stored_lineages(neighbourhood_);
    std::vector<const Node*> closing;
    for (const Reauth& reauth : new_reauths_) {
        const Node& old_node = neighbourhood_.at(reauth.old_user_id);
        const Node& new_node = neighbourhood_.at(reauth.new_user_id);
        if (!connected.join(old_node.number, new_node.number) && !old_node.predecessors.empty() &&
            !new_node.successors.empty())
            closing.push_back(&old_node);
    }
    if (closing.empty())
        return;
    std::set<std::uint32_t> roots;
    for (const Node* const node : closing)
        roots.insert(connected.root(node->number));
    std::set<std::int64_t> lineages;
    for (const Reauth& reauth : new_reauths_)
        for (const std::string& end : {reauth.old_user_id, reauth.new_user_id})
            if (const Node& node = neighbourhood_.at(end); node.stored && roots.contains(connected.root(node.number)))
                lineages.insert(node.stored->lineage_id);
    neighbourhood_.dissolve(lineages);
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
        if (node.touched)
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
    for (const auto& [from, to] : moved_lineages_) {
        keys.insert(LineageKey{from});
        keys.insert(LineageKey{to});
    }
    for (const std::int64_t lineage_id : neighbourhood_.dissolved())
        keys.insert(LineageKey{lineage_id});
    return keys;
}

} // namespace terra_identity
