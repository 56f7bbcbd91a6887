#include "core/neighbourhood.h"

#include "core/interrupts.h"

#include <memory>
#include <utility>

namespace terra_identity {

void Neighbourhood::require(const std::vector<std::string>& user_ids) {
    std::vector<std::string> missing;
    for (const std::string& user_id : user_ids)
        if (!nodes_.contains(user_id))
            missing.push_back(user_id);
    if (missing.empty())
        return;
    adopt(store_.connections(missing));
    for (const std::string& user_id : interruptible(missing)) {
        const auto [node, added] = nodes_.add(user_id);
        if (!added)
            continue;
        node->now.connection_id = store_.new_connection_id();
        node->knows_reauths = true; // a connection that is not stored has no reauths but those of this batch
    }
}

void Neighbourhood::adopt(std::vector<Connection> connections) {
    for (Connection& connection : interruptible(connections)) {
        const auto [node, added] = nodes_.add(connection.user_id);
        if (!added)
            continue;
        node->now = connection;
        node->now.consistent = true;
        node->stored = std::make_unique<Connection>(std::move(connection));
    }
}

void Neighbourhood::require_reauths(const std::vector<Node*>& nodes) {
    std::vector<std::string> unknown;
    for (Node* const node : interruptible(nodes)) {
        rely_on_stored_lineage(*node);
        if (!std::exchange(node->knows_reauths, true))
            unknown.push_back(node->now.user_id);
    }
    if (unknown.empty())
        return;
    const std::vector<Reauth> reauths = store_.reauths(unknown);
    std::vector<std::string> ends;
    for (const Reauth& reauth : interruptible(reauths)) {
        ends.push_back(reauth.old_user_id);
        ends.push_back(reauth.new_user_id);
    }
    require(ends);
    for (const Reauth& reauth : interruptible(reauths)) {
        Node &old_node = at(reauth.old_user_id), &new_node = at(reauth.new_user_id);
        rely_on_stored_lineage(old_node);
        rely_on_stored_lineage(new_node);
        nodes_.link(old_node, new_node, reauth.transfer);
    }
}

std::vector<Connection> Neighbourhood::require_same_persons(const std::vector<std::string>& named,
                                                            const std::vector<std::string>& user_ids) {
    std::vector<Connection> naming;
    if (!user_ids.empty())
        naming = store_.same_person_as(user_ids);
    adopt(naming);
    std::vector<std::string> missing, ends = named;
    for (const std::string& user_id : named)
        if (!nodes_.contains(user_id))
            missing.push_back(user_id);
    if (!missing.empty())
        adopt(store_.connections(missing));
    for (const Connection& connection : naming)
        ends.push_back(connection.user_id);
    for (const std::string& end : interruptible(ends)) {
        rely_on(ConnectionKey{end});
        if (const Node* const node = nodes_.find(end))
            rely_on_stored_lineage(*node);
    }
    return naming;
}

void Neighbourhood::link(Node& old_node, Node& new_node, bool transfer) {
    has_new_links_ = has_new_links_ || Nodes::find_link(old_node, new_node) == nullptr;
    nodes_.link(old_node, new_node, transfer);
}

std::vector<Connection> Neighbourhood::load_neighbours(const std::vector<NeighbourQuery>& queries,
                                                       const UserIds& except) {
    for (const NeighbourQuery& query : queries)
        rely_on_slot(query.slot);
    std::vector<Connection> found = store_.neighbours(queries, except);
    adopt(found);
    return found;
}

void Neighbourhood::load_active(const std::vector<AccountQuery>& queries) {
    for (const auto& [account, limit] : queries)
        rely_on_slot({account.provider, account.provider_user_id, true, std::nullopt});
    adopt(store_.active_connections(queries));
}

std::vector<Connection> Neighbourhood::group_members(const std::vector<Group>& groups, const UserIds& except) {
    for (const Group& group : groups)
        rely_on_slot(group.slot);
    return store_.group_members(groups, except);
}

const SharedSlots& Neighbourhood::shared_slots() {
    if (shared_slots_nodes_ != nodes_.size()) {
        shared_slots_ = shared_slots_of(nodes_);
        shared_slots_nodes_ = nodes_.size();
    }
    return shared_slots_;
}

void Neighbourhood::dissolve(const std::set<std::int64_t>& lineage_ids) {
    std::vector<std::int64_t> wanted;
    for (const std::int64_t lineage_id : lineage_ids)
        if (dissolved_.insert(lineage_id).second) {
            wanted.push_back(lineage_id);
            rely_on(LineageKey{lineage_id});
        }
    if (wanted.empty())
        return;
    const std::vector<Connection> loaded = store_.lineages(wanted);
    adopt(loaded);
    std::vector<Node*> members;
    members.reserve(loaded.size());
    for (const Connection& connection : interruptible(loaded))
        members.push_back(&at(connection.user_id));
    require_reauths(members);
}

void Neighbourhood::rely_on_slot(const Slot& slot) {
    if (notes_keys_)
        keys_.insert(key_of(slot));
}

void Neighbourhood::rely_on_slots(const Connection& connection) {
    if (notes_keys_)
        for (const Slot& slot : connection.slots())
            rely_on_slot(slot);
}

void Neighbourhood::rely_on_stored_lineage(const Node& node) {
    if (node.stored)
        rely_on(LineageKey{node.stored->lineage_id});
}

} // namespace terra_identity
