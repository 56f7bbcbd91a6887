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
        const auto [node, added] = nodes_.add(user_id);
        if (!added)
            continue;
        node->now.connection_id = store_.new_connection_id();
        node->knows_reauths = true; // what is not stored has none but those of this batch
    }
}

void Neighbourhood::adopt(std::vector<Connection> connections) {
    for (Connection& connection : connections) {
        const auto [node, added] = nodes_.add(connection.user_id);
        if (!added)
            continue;
        if (complete_) {
            node->now.connection_id = connection.connection_id;
            node->now.facts = connection.facts;
            node->touched = node->knows_reauths = true;
        } else {
            node->now = connection;
            node->now.consistent = true;
        }
        node->stored = std::make_unique<Connection>(std::move(connection));
    }
}

void Neighbourhood::require_reauths(const std::vector<Node*>& nodes) {
    std::vector<std::string> unknown;
    for (Node* const node : nodes)
        if (!std::exchange(node->knows_reauths, true))
            unknown.push_back(node->now.user_id);
    if (unknown.empty())
        return;
    const std::vector<Reauth> reauths = store_.reauths(unknown);
    std::vector<std::string> ends;
    for (const Reauth& reauth : reauths) {
        ends.push_back(reauth.old_user_id);
        ends.push_back(reauth.new_user_id);
    }
    require(ends);
    for (const Reauth& reauth : reauths)
        link(reauth);
}

std::vector<Connection> Neighbourhood::replace(Nodes nodes) {
    nodes_ = std::exchange(nodes, std::move(nodes_));
    std::vector<Connection> vanished;
    for (Node& node : nodes) {
        Node* const successor = nodes_.find(node.now.user_id);
        if (successor == nullptr) {
            vanished.push_back(std::move(*node.stored));
            continue;
        }
        successor->now.connection_id = node.now.connection_id;
        successor->stored = std::move(node.stored);
    }
    for (Node& node : nodes_) {
        if (!node.stored)
            node.now.connection_id = store_.new_connection_id();
        node.touched = node.knows_reauths = true;
    }
    return vanished;
}

void derive_settings(Neighbourhood& neighbourhood) {
    const Rules& rules = neighbourhood.rules();
    const auto is_among = [](const Register& provider, const ProviderSet& providers) {
        return provider && providers.contains(provider->value);
    };
    for (Node& node : neighbourhood.nodes()) {
        if (!node.touched)
            continue;
        Connection& now = node.now;
        now.sdk = is_among(now.facts.provider, rules.sdk_providers);
        now.account_exclusive = rules.account_policy == AccountPolicy::replace && !now.sdk;
        now.account_unusable = is_among(now.facts.provider, rules.unusable_providers);
    }
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
        if (!is_dissolved(lineage_id))
            wanted.push_back(lineage_id);
    if (wanted.empty())
        return;
    dissolved_.insert(wanted.begin(), wanted.end());
    const std::vector<Connection> loaded = store_.lineages(wanted);
    adopt(loaded);
    std::vector<Node*> members;
    members.reserve(loaded.size());
    for (const Connection& connection : loaded)
        members.push_back(&at(connection.user_id));
    require_reauths(members);
}

} // namespace terra_identity
