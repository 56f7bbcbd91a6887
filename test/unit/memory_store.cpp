#include "memory_store.h"

#include <algorithm>
#include <limits>

namespace terra_identity::test {
namespace {

constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

template <class T>
bool contains(const std::vector<T>& values, const T& value) {
    return std::find(values.begin(), values.end(), value) != values.end();
}

void append(std::vector<Connection>& result, const std::vector<Connection>& more) {
    result.insert(result.end(), more.begin(), more.end());
}

} // namespace

template <class T>
std::vector<T> MemoryStore::disordered(std::vector<T> answer) {
    if (!answer.empty())
        answer.push_back(answer.front());
    std::shuffle(answer.begin(), answer.end(), random_);
    return answer;
}

template <class Predicate>
std::vector<Connection> MemoryStore::some(std::size_t limit, const Predicate& holds) {
    std::vector<Connection> found;
    for (const auto& [user_id, connection] : stored_)
        if (holds(connection))
            found.push_back(connection);
    std::shuffle(found.begin(), found.end(), random_);
    if (found.size() > limit)
        found.resize(limit);
    return found;
}

std::vector<Connection> MemoryStore::connections(const std::vector<std::string>& user_ids) {
    return disordered(some(unlimited, [&](const Connection& one) { return contains(user_ids, one.user_id); }));
}

std::vector<Reauth> MemoryStore::reauths(const std::vector<std::string>& user_ids) {
    std::vector<Reauth> result;
    for (const Reauth& reauth : stored_reauths_)
        if (contains(user_ids, reauth.old_user_id) || contains(user_ids, reauth.new_user_id))
            result.push_back(reauth);
    return disordered(std::move(result));
}

std::vector<Connection> MemoryStore::same_person_as(const std::vector<std::string>& user_ids) {
    return disordered(some(unlimited, [&](const Connection& one) {
        const std::string* const named = one.facts.same_person();
        return named != nullptr && contains(user_ids, *named);
    }));
}

bool MemoryStore::has_transfers() {
    return std::any_of(stored_reauths_.begin(), stored_reauths_.end(),
                       [](const Reauth& reauth) { return reauth.transfer; });
}

std::vector<Connection> MemoryStore::neighbours(const std::vector<NeighbourQuery>& queries, const UserIds& except) {
    std::vector<Connection> result;
    for (const NeighbourQuery& query : queries) {
        const bool older = query.direction == Direction::older;
        const Connection* nearest = nullptr;
        for (const auto& [user_id, one] : stored_) {
            const bool on_side = older ? one.place() < query.place : query.place < one.place();
            if (!on_side || !one.facts.live || except.contains(user_id) || !contains(one.slots(), query.slot))
                continue;
            if (nearest == nullptr || (older ? nearest->place() < one.place() : one.place() < nearest->place()))
                nearest = &one;
        }
        if (nearest != nullptr)
            result.push_back(*nearest);
    }
    return disordered(std::move(result));
}

std::vector<Connection> MemoryStore::group_members(const std::vector<Group>& groups, const UserIds& except) {
    std::vector<Connection> result;
    for (const Group& group : groups)
        append(result, some(2, [&](const Connection& one) {
                   return one.reference_id() == group.reference_id && contains(one.slots(), group.slot) &&
                          !except.contains(one.user_id);
               }));
    return disordered(std::move(result));
}

std::vector<Connection> MemoryStore::active_connections(const std::vector<AccountQuery>& queries) {
    std::vector<Connection> result;
    for (const AccountQuery& query : queries)
        append(result, some(static_cast<std::size_t>(query.limit), [&](const Connection& one) {
                   return one.status == Status::active && one.account() == query.account;
               }));
    return disordered(std::move(result));
}

std::vector<Connection> MemoryStore::lineages(const std::vector<std::int64_t>& lineage_ids) {
    return disordered(some(unlimited, [&](const Connection& one) { return contains(lineage_ids, one.lineage_id); }));
}

void MemoryStore::write(const Derived& derived) {
    for (auto& [user_id, connection] : stored_) {
        const auto moved = derived.moved_lineages.find(connection.lineage_id);
        if (moved != derived.moved_lineages.end())
            connection.lineage_id = moved->second;
    }
    for (const Connection& vanished : derived.vanished)
        stored_.erase(vanished.user_id);
    for (const Node& node : derived.nodes)
        if (node.changed())
            stored_[node.now.user_id] = node.now;
    for (const Reauth& reauth : derived.vanished_reauths)
        stored_reauths_.erase(reauth);
    stored_reauths_.insert(derived.new_reauths.begin(), derived.new_reauths.end());
}

void MemoryStore::spoil() {
    for (auto& [user_id, connection] : stored_) {
        connection.facts = {};
        connection.lineage_id = 1;
        connection.provider_user_id = "spoilt";
        connection.status = Status::failed;
        connection.successor_user_id = user_id;
        connection.ended_at = 0;
        connection.connected_at += 1;
        connection.sdk = !connection.sdk;
        connection.account_exclusive = !connection.account_exclusive;
        connection.account_unusable = !connection.account_unusable;
        connection.duplicate = !connection.duplicate;
        connection.cyclic = !connection.cyclic;
    }
    std::set<Reauth> spoilt{{"spoilt", "reauth", false}};
    bool kept = false; // keep every other reauth
    for (const Reauth& reauth : stored_reauths_)
        if ((kept = !kept))
            spoilt.insert({reauth.old_user_id, reauth.new_user_id, !reauth.transfer});
    stored_reauths_ = std::move(spoilt);
}

std::vector<Connection> MemoryStore::all() const {
    std::vector<Connection> result;
    for (const auto& [user_id, connection] : stored_)
        result.push_back(connection);
    return result;
}

} // namespace terra_identity::test
