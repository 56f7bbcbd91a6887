// The connections that a derivation has loaded, each as it is stored and as it will be, and the reauths between them.
#pragma once

#include "core/disjoint_sets.h"
#include "core/nodes.h"
#include "core/sharers.h"
#include "core/store.h"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace terra_identity {

class Neighbourhood {
public:
    /// @param complete everything that there is gets adopted, and is derived: nothing has to be asked of the store
    Neighbourhood(Store& store, const Rules& rules, bool complete)
        : store_(store), rules_(rules), complete_(complete) {}

    Nodes& nodes() { return nodes_; }
    const Nodes& nodes() const { return nodes_; }
    Store& store() { return store_; }
    const Rules& rules() const { return rules_; }
    bool complete() const { return complete_; }

    Node& at(std::string_view user_id) { return nodes_.at(user_id); }

    /// Loads those of these connections that are not loaded; those that are not stored either become new nodes.
    void require(const std::vector<std::string>& user_ids);

    /// Adds stored connections; those that are loaded stay as they are.
    void adopt(std::vector<Connection> connections);

    /// Loads the reauths that name these connections, and the connections at their other ends.
    void require_reauths(const std::vector<Node*>& nodes);

    /// Links loaded connections.
    void link(const Reauth& reauth) { nodes_.link(at(reauth.old_user_id), at(reauth.new_user_id), reauth.transfer); }

    /// Puts the nodes of a ledger in the place of those that are there. What is stored of them is kept.
    /// @return what is stored, and the ledger does not have
    std::vector<Connection> replace(Nodes nodes);

    /// The nodes that have loaded links, each after those that it replaced, but for members of one cycle, which are
    /// next to one another.
    std::vector<Node*> predecessors_first();

    /// The same of everything, found once, with all cycles.
    const std::vector<Node*>& linked_nodes();

    /// The members of the cycle of reauths that a node is on: itself alone if on none.
    const std::vector<Node*>& cycle_of(Node& node);

    /// Links two connections, and finds the cycle that this may close.
    void link_and_find_cycle(const Reauth& reauth);

    /// What the loaded connections have in common. For when their facts and effective accounts are as they will be.
    const SharedSlots& shared_slots();

    /// Loads all members of a lineage with their reauths, so that it can be derived again from its links.
    void dissolve(const std::set<std::int64_t>& lineage_ids);
    bool is_dissolved(std::int64_t lineage_id) const { return complete_ || dissolved_.contains(lineage_id); }

    /// The lineages that were loaded to be derived again.
    const std::set<std::int64_t>& dissolved() const { return dissolved_; }

private:
    void add_cycle(std::vector<Node*> members);
    bool may_have_path(const Node& from, const Node& to);
    bool has_path(Node& from, Node& to);

    Store& store_;
    const Rules& rules_;
    bool complete_;
    Nodes nodes_;
    bool has_new_links_ = false;
    std::vector<Node*> linked_nodes_;
    std::vector<std::vector<Node*>> cycles_; ///< node.cycle counts from 1
    std::set<std::int64_t> dissolved_;
    SharedSlots shared_slots_;
    std::size_t shared_slots_nodes_ = 0; ///< how many nodes there were when they were found
};

/// Sets what follows from the rules and the facts of a touched node alone.
void derive_settings(Neighbourhood& neighbourhood);

/// Sets `now.connected_at` of the touched nodes and of all that were replaced before them; marks as touched those that
/// it changes. @return those whose place changed
std::vector<Node*> derive_newness(Neighbourhood& neighbourhood);

/// Sets `now.provider_user_id` of the nodes that were told of and of their heirs; marks as touched those that it
/// changes.
/// @param moved the nodes whose place has changed
void derive_effective_accounts(Neighbourhood& neighbourhood, const std::vector<Node*>& moved);

/// Sets `now.lineage_id`. @return old to new lineage_id of the lineages whose members, loaded or not, move to another.
std::map<std::int64_t, std::int64_t> derive_lineages(Neighbourhood& neighbourhood);

/// Sets status, successor and end of the touched nodes and of their neighbours in the slots that they leave or enter.
void derive_statuses(Neighbourhood& neighbourhood);

/// Sets `now.duplicate` on the accounts whose active connections changed.
void derive_duplicates(Neighbourhood& neighbourhood);

} // namespace terra_identity
