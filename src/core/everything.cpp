#include "core/everything.h"

#include "core/duplicates.h"
#include "core/effective_accounts.h"
#include "core/interrupts.h"
#include "core/lineages.h"
#include "core/newness.h"
#include "core/superseded.h"

#include <memory>
#include <set>
#include <utility>

namespace terra_identity {
namespace {

/// Derives the state of all nodes. @param nodes with their facts and all links
void derive(const Rules& rules, Nodes& nodes) {
    for (Node& node : interruptible(nodes))
        apply_rules(rules, node.now);
    Components components = components_of(nodes);
    Everything everything{nodes, std::move(components.predecessors_first), {}, {}};
    for (std::vector<Node*>& cycle : components.cycles)
        everything.cycles.add(std::move(cycle));
    derive_newness(everything);
    derive_effective_accounts(everything);
    everything.shared_slots = shared_slots_of(nodes);
    derive_statuses(everything);
    derive_duplicates(everything);
    derive_lineages(everything);
}

} // namespace

Derived derive_everything(const Rules& rules, std::vector<Connection> stored, const std::vector<Reauth>& reauths) {
    Derived derived;
    for (Connection& connection : interruptible(stored)) {
        Node* const node = derived.nodes.add(connection.user_id).first;
        node->now.connection_id = connection.connection_id;
        node->now.facts = connection.facts;
        node->stored = std::make_unique<Connection>(std::move(connection));
    }
    for (const Reauth& reauth : interruptible(reauths))
        derived.nodes.link(derived.nodes.at(reauth.old_user_id), derived.nodes.at(reauth.new_user_id), reauth.transfer);
    derive(rules, derived.nodes);
    return derived;
}

Derived derive_everything(const Rules& rules, Fold ledger, std::vector<Connection> stored,
                          const std::vector<Reauth>& stored_reauths,
                          const std::function<std::int64_t()>& new_connection_id) {
    Derived derived;
    derived.nodes = std::move(ledger.nodes);
    for (Connection& connection : interruptible(stored)) {
        Node* const node = derived.nodes.find(connection.user_id);
        if (node == nullptr) {
            derived.vanished.push_back(std::move(connection));
            continue;
        }
        node->now.connection_id = connection.connection_id;
        node->stored = std::make_unique<Connection>(std::move(connection));
    }
    for (Node& node : interruptible(derived.nodes))
        if (!node.stored)
            node.now.connection_id = new_connection_id();
    derived.vanished_reauths.insert(stored_reauths.begin(), stored_reauths.end());
    for (const Link& link : interruptible(derived.nodes.links()))
        if (Reauth reauth = link.reauth(); derived.vanished_reauths.erase(reauth) == 0)
            derived.new_reauths.insert(std::move(reauth));
    derive(rules, derived.nodes);
    return derived;
}

} // namespace terra_identity
