// The connections that a derivation has loaded, each as it is stored and as it will be, and the reauths between them.
#pragma once

#include "core/store.h"

#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace terra_identity {

struct Node {
    std::optional<Connection> stored; ///< null: a connection that is new
    Connection now;
    bool touched = false;      ///< its facts, links or effective account may have changed: derive it
    bool evaluated = false;    ///< its status is derived: touched, or the older neighbour of one that was
    bool detached = false;     ///< it leaves its lineage, which stays whole without it
    std::int64_t event_id = 0; ///< the event that made it be looked at; 0: none

    bool changed() const { return !stored || *stored != now; }
};

class Neighbourhood {
public:
    /// @param complete everything that there is gets adopted: nothing has to be asked of the store
    Neighbourhood(Store& store, const Rules& rules, bool complete)
        : store_(store), rules_(rules), complete_(complete) {}

    using Nodes = std::unordered_map<std::string, Node>;
    using UserIds = std::set<std::string>;

    Nodes& nodes() { return nodes_; }
    const Nodes& nodes() const { return nodes_; }
    Store& store() { return store_; }
    const Rules& rules() const { return rules_; }
    bool complete() const { return complete_; }

    Node& at(const std::string& user_id) { return nodes_.at(user_id); }

    /// Loads those of these connections that are not loaded; those that are not stored either become new nodes.
    void require(const std::vector<std::string>& user_ids);

    /// Adds stored connections; those that are loaded stay as they are.
    void adopt(std::vector<Connection> connections);

    /// Loads the reauths that name these connections, and the connections at their other ends.
    void require_reauths(const UserIds& user_ids);

    /// Adds a reauth between loaded connections. @return whether it was not known.
    bool link(const Reauth& reauth);

    /// Forgets all reauths but these.
    void replace_reauths(const std::set<Reauth>& reauths);

    const UserIds& predecessors(const std::string& user_id) const;
    const UserIds& successors(const std::string& user_id) const;
    const std::set<Reauth>& reauths() const { return reauths_; }
    bool knows_reauths_of(const std::string& user_id) const { return complete_ || reauths_known_.contains(user_id); }

    /// Loads all members of a lineage with their reauths, so that it can be derived again from its links.
    void dissolve(const std::set<std::int64_t>& lineage_ids);
    bool is_dissolved(std::int64_t lineage_id) const { return complete_ || dissolved_.contains(lineage_id); }

    /// The lineages that were loaded to be derived again.
    const std::set<std::int64_t>& dissolved() const { return dissolved_; }

private:
    Store& store_;
    const Rules& rules_;
    bool complete_;
    Nodes nodes_;
    std::set<Reauth> reauths_;
    std::unordered_map<std::string, UserIds> predecessors_;
    std::unordered_map<std::string, UserIds> successors_;
    UserIds reauths_known_;
    std::set<std::int64_t> dissolved_;
};

/// Sets every node's `now.provider_user_id` (and `sdk`, `account_exclusive`, `cyclic`) that follows from touched
/// nodes; marks as touched those that it changes.
void derive_effective_accounts(Neighbourhood& neighbourhood);

/// Sets `now.lineage_id`. @return old to new lineage_id of the lineages whose members, loaded or not, move to another.
std::map<std::int64_t, std::int64_t> derive_lineages(Neighbourhood& neighbourhood);

/// Sets status, successor and end of the touched nodes and of their neighbours in the slots that they leave or enter.
void derive_statuses(Neighbourhood& neighbourhood);

/// Sets `now.duplicate` on the accounts whose active connections changed.
void derive_duplicates(Neighbourhood& neighbourhood);

} // namespace terra_identity
