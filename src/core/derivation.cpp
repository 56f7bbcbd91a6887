#include "core/derivation.h"

#include "core/cycle_search.h"
#include "core/duplicates.h"
#include "core/effective_accounts.h"
#include "core/interrupts.h"
#include "core/lineages.h"
#include "core/newness.h"
#include "core/superseded.h"

#include <algorithm>
#include <set>
#include <utility>

namespace terra_identity {

void Derivation::tell(const Contribution& contribution, std::int64_t event_id) {
    Node& node = neighbourhood_.at(contribution.user_id);
    node.now.facts.merge(contribution.facts);
    node.touched = true;
    node.event_id = std::max(node.event_id, event_id);
    neighbourhood_.rely_on(ConnectionKey{contribution.user_id});
    neighbourhood_.rely_on_stored_lineage(node);
}

void Derivation::link(const Reauth& reauth) {
    bool& transfer = told_reauths_.emplace(std::pair(reauth.old_user_id, reauth.new_user_id), true).first->second;
    transfer = transfer && reauth.transfer;
}

Derived Derivation::derive() {
    link_told();
    for (Node& node : interruptible(neighbourhood_.nodes()))
        if (node.touched)
            apply_rules(neighbourhood_.rules(), node.now);
    const std::vector<Node*> moved = derive_newness(neighbourhood_);
    derive_effective_accounts(neighbourhood_, moved);
    derive_statuses(neighbourhood_);
    derive_duplicates(neighbourhood_);
    derived_.moved_lineages = derive_lineages(neighbourhood_); // last: it uses all that was loaded above
    rely_on_what_is_written();
    derived_.keys = std::move(neighbourhood_.keys());
    derived_.nodes = std::move(neighbourhood_.nodes());
    return std::move(derived_);
}

void Derivation::link_told() {
    std::vector<Node*> ends;
    for (const auto& [told, transfer] : told_reauths_)
        for (const std::string& end : {told.first, told.second})
            ends.push_back(&neighbourhood_.at(end));
    neighbourhood_.require_reauths(ends);
    for (const auto& [told, transfer] : interruptible(told_reauths_)) {
        Node &old_node = neighbourhood_.at(told.first), &new_node = neighbourhood_.at(told.second);
        const Link* const known = Nodes::find_link(old_node, new_node);
        if (known != nullptr && known->transfer <= transfer)
            continue;
        if (known != nullptr)
            derived_.vanished_reauths.insert(known->reauth());
        link_and_find_cycle(neighbourhood_, old_node, new_node, transfer);
        derived_.new_reauths.insert({told.first, told.second, transfer});
    }
}

/// Notes the keys of everything that is to be written. A lineage of which all connections are new needs no lock; its id
/// differs in every attempt to derive it.
void Derivation::rely_on_what_is_written() {
    std::set<std::int64_t> stored_lineages;
    for (const Node& node : interruptible(neighbourhood_.nodes()))
        if (node.stored)
            stored_lineages.insert(node.stored->lineage_id);
    for (const Node& node : interruptible(neighbourhood_.nodes())) {
        if (!node.changed())
            continue;
        neighbourhood_.rely_on_slots(node.now);
        neighbourhood_.rely_on_stored_lineage(node);
        if (node.stored)
            neighbourhood_.rely_on_slots(*node.stored);
        if (stored_lineages.contains(node.now.lineage_id))
            neighbourhood_.rely_on(LineageKey{node.now.lineage_id});
    }
    for (const auto& [from, to] : derived_.moved_lineages) {
        neighbourhood_.rely_on(LineageKey{from});
        neighbourhood_.rely_on(LineageKey{to});
    }
}

} // namespace terra_identity
