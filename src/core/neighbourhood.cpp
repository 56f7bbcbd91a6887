#include "core/neighbourhood.h"

#include <utility>

namespace terra_identity {

std::vector<Group> groups_of(const Connection& connection) {
    std::vector<Group> result;
    for (Slot& slot : connection.slots())
        result.push_back({std::move(slot), connection.reference_id()});
    return result;
}

void Neighbourhood::require(const std::vector<std::string>& user_ids) {
    std::vector<std::string> missing;
    for (const std::string& user_id : user_ids)
        if (!nodes_.contains(user_id))
            missing.push_back(user_id);
    if (missing.empty())
        return;
    if (!complete_)
        adopt(store_.connections(missing));
    for (const std::string& user_id : missing) {
        const auto [node, added] = nodes_.try_emplace(user_id);
        if (!added)
            continue;
        node->second.now.user_id = user_id;
        node->second.now.connection_id = store_.new_connection_id();
        reauths_known_.insert(user_id); // what is not stored has none but those of this batch
    }
}

void Neighbourhood::adopt(std::vector<Connection> connections) {
    for (Connection& connection : connections) {
        const auto [node, added] = nodes_.try_emplace(connection.user_id);
        if (!added)
            continue;
        node->second.now = connection;
        node->second.now.consistent = true;
        node->second.stored = std::move(connection);
    }
}

void Neighbourhood::require_reauths(const UserIds& user_ids) {
    std::vector<std::string> unknown;
    for (const std::string& user_id : user_ids)
        if (!knows_reauths_of(user_id))
            unknown.push_back(user_id);
    if (unknown.empty())
        return;
    std::vector<std::string> ends;
    for (const Reauth& reauth : store_.reauths(unknown)) {
        link(reauth);
        ends.push_back(reauth.old_user_id);
        ends.push_back(reauth.new_user_id);
    }
    reauths_known_.insert(unknown.begin(), unknown.end());
    require(ends);
}

bool Neighbourhood::link(const Reauth& reauth) {
    if (!reauths_.insert(reauth).second)
        return false;
    predecessors_[reauth.new_user_id].insert(reauth.old_user_id);
    successors_[reauth.old_user_id].insert(reauth.new_user_id);
    return true;
}

void Neighbourhood::replace_reauths(const std::set<Reauth>& reauths) {
    reauths_.clear();
    predecessors_.clear();
    successors_.clear();
    for (const Reauth& reauth : reauths)
        link(reauth);
}

const Neighbourhood::UserIds& Neighbourhood::predecessors(const std::string& user_id) const {
    static const UserIds none;
    const auto found = predecessors_.find(user_id);
    return found == predecessors_.end() ? none : found->second;
}

const Neighbourhood::UserIds& Neighbourhood::successors(const std::string& user_id) const {
    static const UserIds none;
    const auto found = successors_.find(user_id);
    return found == successors_.end() ? none : found->second;
}

void Neighbourhood::dissolve(const std::set<std::int64_t>& lineage_ids) {
    std::vector<std::int64_t> wanted;
    for (const std::int64_t lineage_id : lineage_ids)
        if (!is_dissolved(lineage_id))
            wanted.push_back(lineage_id);
    if (wanted.empty())
        return;
    dissolved_.insert(wanted.begin(), wanted.end());
    UserIds members;
    std::vector<Connection> loaded = store_.lineages(wanted);
    for (const Connection& connection : loaded)
        members.insert(connection.user_id);
    adopt(std::move(loaded));
    require_reauths(members);
}

} // namespace terra_identity
