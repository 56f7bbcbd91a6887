#include "core/derivation.h"

#include "core/disjoint_sets.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace terra_identity {

void Fold::add(const Event& event) {
    for (const Contribution& contribution : contributions_of(event)) {
        const auto [found, added] = facts.try_emplace(contribution.user_id);
        if (added)
            user_ids.push_back(contribution.user_id);
        found->second.merge(contribution.facts);
    }
    if (auto reauth = reauth_of(event))
        reauths.insert(std::move(*reauth));
}

Derivation Derivation::of_everything(Store& store, const Rules& rules, std::vector<Connection> stored,
                                     const std::vector<Reauth>& stored_reauths) {
    Derivation derivation{Neighbourhood(store, rules, true)};
    derivation.neighbourhood_.adopt(std::move(stored));
    for (auto& [user_id, node] : derivation.neighbourhood_.nodes())
        node.touched = true;
    derivation.told_reauths_.insert(stored_reauths.begin(), stored_reauths.end());
    for (const Reauth& reauth : stored_reauths)
        derivation.neighbourhood_.link(reauth);
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

void Derivation::replace_facts(const Fold& ledger) {
    auto& nodes = neighbourhood_.nodes();
    for (auto node = nodes.begin(); node != nodes.end();) {
        if (ledger.facts.contains(node->first)) {
            ++node;
            continue;
        }
        vanished_.push_back(std::move(*node->second.stored));
        node = nodes.erase(node);
    }
    neighbourhood_.require(ledger.user_ids);
    for (const auto& [user_id, facts] : ledger.facts) {
        Node& node = neighbourhood_.at(user_id);
        node.now.facts = facts;
        node.touched = true;
    }
    neighbourhood_.replace_reauths(ledger.reauths);
    std::set_difference(ledger.reauths.begin(), ledger.reauths.end(), told_reauths_.begin(), told_reauths_.end(),
                        std::inserter(new_reauths_, new_reauths_.end()));
    std::set_difference(told_reauths_.begin(), told_reauths_.end(), ledger.reauths.begin(), ledger.reauths.end(),
                        std::inserter(vanished_reauths_, vanished_reauths_.end()));
}

void Derivation::derive() {
    if (!neighbourhood_.complete()) {
        Neighbourhood::UserIds told;
        for (const Reauth& reauth : told_reauths_)
            told.insert({reauth.old_user_id, reauth.new_user_id});
        neighbourhood_.require_reauths(told);
        for (const Reauth& reauth : told_reauths_)
            if (neighbourhood_.link(reauth))
                new_reauths_.insert(reauth);
        dissolve_possible_cycles();
    }
    derive_effective_accounts(neighbourhood_);
    derive_statuses(neighbourhood_);
    derive_duplicates(neighbourhood_);
    moved_lineages_ = derive_lineages(neighbourhood_); // last: of everything that was loaded on the way
}

/// A new reauth closes a cycle only if both its ends have others and were connected before: then what they are
/// connected to is loaded and derived as a whole.
void Derivation::dissolve_possible_cycles() {
    DisjointSets<std::int64_t> connected;
    const auto stand_in = [&](const std::string& user_id) {
        const Node& node = neighbourhood_.at(user_id);
        return node.stored ? node.stored->lineage_id : node.now.connection_id;
    };
    std::vector<std::int64_t> closing;
    for (const Reauth& reauth : new_reauths_)
        if (!connected.join(stand_in(reauth.old_user_id), stand_in(reauth.new_user_id)) &&
            !neighbourhood_.predecessors(reauth.old_user_id).empty() &&
            !neighbourhood_.successors(reauth.new_user_id).empty())
            closing.push_back(stand_in(reauth.old_user_id));
    if (closing.empty())
        return;
    std::set<std::size_t> roots;
    for (const std::int64_t id : closing)
        roots.insert(connected.root_of(id));
    std::set<std::int64_t> lineages;
    for (const Reauth& reauth : new_reauths_)
        for (const std::string& end : {reauth.old_user_id, reauth.new_user_id})
            if (const Node& node = neighbourhood_.at(end);
                node.stored && roots.contains(connected.root_of(node.stored->lineage_id)))
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
    for (const auto& [user_id, node] : neighbourhood_.nodes())
        if (node.stored)
            stored_lineages.insert(node.stored->lineage_id);
    for (const auto& [user_id, node] : neighbourhood_.nodes()) {
        if (node.touched)
            keys.insert(ConnectionKey{user_id});
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
