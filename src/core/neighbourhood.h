// Neighbourhood: the connections that a derivation works on. These are the ones that the news name and, where they
// matter, those that share a slot, a lineage or a reauth with them. Only this class queries the Store; with each query
// it notes the keys that must be locked for the answer to stay true.
#pragma once

#include "core/cycles.h"
#include "core/keys.h"
#include "core/nodes.h"
#include "core/rules.h"
#include "core/sharers.h"
#include "core/store.h"

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace terra_identity {

class Neighbourhood {
public:
    Neighbourhood(Store& store, const Rules& rules, Held held)
        : store_(store), rules_(rules), notes_keys_(held == Held::keys) {}

    Nodes& nodes() { return nodes_; }
    const Nodes& nodes() const { return nodes_; }
    const Rules& rules() const { return rules_; }
    Cycles& cycles() { return cycles_; }

    Node& at(std::string_view user_id) { return nodes_.at(user_id); }

    /// Loads these connections unless they are loaded. Those that are not stored become new nodes.
    void require(const std::vector<std::string>& user_ids);

    /// Adds stored connections. Those that are loaded already stay as they are.
    void adopt(std::vector<Connection> connections);

    /// Loads the reauths that name these connections, and the connections at their other ends.
    void require_reauths(const std::vector<Node*>& nodes);

    /// Loads connections at the other ends of corrections: those that are named, and those that name one of `user_ids`.
    /// Whether corrections count depends on both ends, so that their keys are noted. @return the ones that name one
    std::vector<Connection> require_same_persons(const std::vector<std::string>& named,
                                                 const std::vector<std::string>& user_ids);

    /// Links loaded connections by a reauth that is not stored.
    void link(Node& old_node, Node& new_node, bool transfer);

    /// Whether `link` has added a link that was not loaded.
    bool has_new_links() const { return has_new_links_; }

    /// Whether any stored reauth is a transfer.
    bool has_transfers() { return store_.has_transfers(); }

    /// Ask the Store, and load the connections that it returns.
    std::vector<Connection> load_neighbours(const std::vector<NeighbourQuery>& queries, const UserIds& except);
    void load_active(const std::vector<AccountQuery>& queries);

    /// Asks the Store, and loads nothing.
    std::vector<Connection> group_members(const std::vector<Group>& groups, const UserIds& except);

    /// The slots that loaded connections share. Their facts and effective accounts must be final.
    const SharedSlots& shared_slots();

    /// Loads all members of these lineages with their reauths, so that the lineages can be derived again from their
    /// links.
    void dissolve(const std::set<std::int64_t>& lineage_ids);
    bool is_dissolved(std::int64_t lineage_id) const { return dissolved_.contains(lineage_id); }

    /// Notes keys that must be locked. Other sessions that change the connection, its slots or its lineage lock the
    /// same.
    void rely_on(Key key) {
        if (notes_keys_)
            keys_.insert(std::move(key));
    }
    void rely_on_slot(const Slot& slot);
    void rely_on_slots(const Connection& connection);
    void rely_on_stored_lineage(const Node& node);

    /// The keys that have been noted.
    Keys& keys() { return keys_; }

private:
    Store& store_;
    const Rules& rules_;
    const bool notes_keys_;
    Nodes nodes_;
    bool has_new_links_ = false;
    Cycles cycles_;
    std::set<std::int64_t> dissolved_;
    SharedSlots shared_slots_;
    std::size_t shared_slots_nodes_ = 0; ///< the number of nodes when `shared_slots_` was computed
    Keys keys_;
};

} // namespace terra_identity
