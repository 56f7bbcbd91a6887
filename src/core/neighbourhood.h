// The connections that news have to do with: those that they name and, as far as it matters, what shares a slot, a
// lineage or a reauth with them. Everything that is asked of the store is asked here, where it is also noted which keys
// have to be held for the answer to stay true.
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

    /// Loads those of these connections that are not loaded; those that are not stored either become new nodes.
    void require(const std::vector<std::string>& user_ids);

    /// Adds stored connections; those that are loaded stay as they are.
    void adopt(std::vector<Connection> connections);

    /// Loads the reauths that name these connections, and the connections at their other ends.
    void require_reauths(const std::vector<Node*>& nodes);

    /// Links loaded connections by a reauth that is not stored.
    void link(Node& old_node, Node& new_node, bool transfer);

    /// Whether reauths were linked that are not stored.
    bool has_new_links() const { return has_new_links_; }

    /// Whether any of all stored reauths is a transfer.
    bool has_transfers() { return store_.has_transfers(); }

    /// As the store answers; what it answers is loaded.
    std::vector<Connection> load_neighbours(const std::vector<NeighbourQuery>& queries, const UserIds& except);
    void load_active(const std::vector<AccountQuery>& queries);

    /// As the store answers; nothing is loaded.
    std::vector<Connection> group_members(const std::vector<Group>& groups, const UserIds& except);

    /// What the loaded connections have in common. For when their facts and effective accounts are as they will be.
    const SharedSlots& shared_slots();

    /// Loads all members of a lineage with their reauths, so that it can be derived again from its links.
    void dissolve(const std::set<std::int64_t>& lineage_ids);
    bool is_dissolved(std::int64_t lineage_id) const { return dissolved_.contains(lineage_id); }

    /// Notes what has to be held: others who change the connection, its slots or its lineage hold the same.
    void rely_on(Key key) {
        if (notes_keys_)
            keys_.insert(std::move(key));
    }
    void rely_on_slot(const Slot& slot);
    void rely_on_slots(const Connection& connection);
    void rely_on_stored_lineage(const Node& node);

    /// What was relied on up to now.
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
    std::size_t shared_slots_nodes_ = 0; ///< how many nodes there were when they were found
    Keys keys_;
};

} // namespace terra_identity
