#include "counting_store.h"

#include <utility>

namespace terra_identity::test {
namespace {

constexpr std::size_t unlimited = static_cast<std::size_t>(-1);

/// The value of a key; null if there is none.
template <class Key, class Value>
const Value* find(const std::map<Key, Value>& values, const Key& key) {
    const auto found = values.find(key);
    return found == values.end() ? nullptr : &found->second;
}

} // namespace

void CountingStore::count(std::size_t asked) {
    ++cost_.calls;
    cost_.asked += asked;
}

void CountingStore::answer(std::vector<Connection>& result, const std::string& user_id) {
    ++cost_.looked_at;
    result.push_back(stored_.at(user_id));
}

void CountingStore::answer_some(std::vector<Connection>& result, const Members* members, std::size_t limit,
                                const UserIds& except) {
    if (members == nullptr)
        return;
    for (auto member = members->begin(); member != members->end() && limit > 0; ++member)
        if (except.contains(*member)) {
            ++cost_.looked_at;
        } else {
            answer(result, *member);
            --limit;
        }
}

std::vector<Connection> CountingStore::connections(const std::vector<std::string>& user_ids) {
    count(user_ids.size());
    std::vector<Connection> result;
    for (const std::string& user_id : user_ids)
        if (stored_.contains(user_id))
            answer(result, user_id);
    return result;
}

std::vector<Reauth> CountingStore::reauths(const std::vector<std::string>& user_ids) {
    count(user_ids.size());
    std::vector<Reauth> result;
    for (const std::string& user_id : user_ids)
        if (const std::set<Reauth>* const found = find(reauths_, user_id))
            result.insert(result.end(), found->begin(), found->end());
    cost_.looked_at += result.size();
    return result;
}

std::vector<Connection> CountingStore::same_person_as(const std::vector<std::string>& user_ids) {
    count(user_ids.size());
    std::vector<Connection> result;
    for (const std::string& user_id : user_ids)
        answer_some(result, find(naming_, user_id), unlimited);
    return result;
}

bool CountingStore::has_transfers() {
    count(1);
    for (const auto& [user_id, reauths] : reauths_)
        for (const Reauth& reauth : reauths)
            if (reauth.transfer)
                return true;
    return false;
}

std::vector<Connection> CountingStore::neighbours(const std::vector<NeighbourQuery>& queries, const UserIds& except) {
    count(queries.size());
    std::vector<Connection> result;
    for (const auto& [slot, place, direction] : queries) {
        const std::set<Place>* const places = find(live_, slot);
        if (places == nullptr)
            continue;
        if (direction == Direction::newer) {
            auto next = places->upper_bound(place);
            for (; next != places->end() && except.contains(next->user_id); ++next)
                ++cost_.looked_at;
            if (next != places->end())
                answer(result, next->user_id);
        } else {
            auto end = places->lower_bound(place);
            for (; end != places->begin() && except.contains(std::prev(end)->user_id); --end)
                ++cost_.looked_at;
            if (end != places->begin())
                answer(result, std::prev(end)->user_id);
        }
    }
    return result;
}

std::vector<Connection> CountingStore::group_members(const std::vector<Group>& groups, const UserIds& except) {
    count(groups.size());
    std::vector<Connection> result;
    for (const Group& group : groups)
        answer_some(result, find(groups_, group), 2, except);
    return result;
}

std::vector<Connection> CountingStore::active_connections(const std::vector<AccountQuery>& queries) {
    count(queries.size());
    std::vector<Connection> result;
    for (const AccountQuery& query : queries)
        answer_some(result, find(active_, query.account), static_cast<std::size_t>(query.limit));
    return result;
}

std::vector<Connection> CountingStore::lineages(const std::vector<std::int64_t>& lineage_ids) {
    count(lineage_ids.size());
    std::vector<Connection> result;
    for (const std::int64_t lineage_id : lineage_ids)
        answer_some(result, find(lineages_, lineage_id), unlimited);
    return result;
}

void CountingStore::put(const Connection& connection) {
    const std::string& user_id = connection.user_id;
    if (connection.facts.live)
        for (const Slot& slot : connection.slots())
            live_[slot].insert(connection.place());
    for (const Group& group : groups_of(connection))
        groups_[group].insert(user_id);
    if (const auto account = connection.account(); account && connection.status == Status::active)
        active_[*account].insert(user_id);
    lineages_[connection.lineage_id].insert(user_id);
    if (const std::string* const named = connection.facts.same_person())
        naming_[*named].insert(user_id);
    stored_.insert_or_assign(user_id, connection);
}

void CountingStore::remove(const std::string& user_id) {
    const auto found = stored_.find(user_id);
    if (found == stored_.end())
        return;
    const Connection& connection = found->second;
    for (const Slot& slot : connection.slots())
        live_[slot].erase(connection.place());
    for (const Group& group : groups_of(connection))
        groups_[group].erase(user_id);
    if (const auto account = connection.account())
        active_[*account].erase(user_id);
    lineages_[connection.lineage_id].erase(user_id);
    if (const std::string* const named = connection.facts.same_person())
        naming_[*named].erase(user_id);
    stored_.erase(found);
}

void CountingStore::write(const Derived& derived) {
    for (const auto& [from, to] : derived.moved_lineages)
        for (const std::string& user_id : Members(lineages_[from])) {
            Connection moved = stored_.at(user_id);
            moved.lineage_id = to;
            remove(user_id);
            put(moved);
        }
    for (const Connection& vanished : derived.vanished)
        remove(vanished.user_id);
    for (const Node& node : derived.nodes)
        if (node.changed()) {
            remove(node.now.user_id);
            put(node.now);
        }
    for (const Reauth& reauth : derived.vanished_reauths)
        for (const std::string& end : {reauth.old_user_id, reauth.new_user_id})
            reauths_[end].erase(reauth);
    for (const Reauth& reauth : derived.new_reauths)
        for (const std::string& end : {reauth.old_user_id, reauth.new_user_id})
            reauths_[end].insert(reauth);
}

std::vector<Connection> CountingStore::all() const {
    std::vector<Connection> result;
    for (const auto& [user_id, connection] : stored_)
        result.push_back(connection);
    return result;
}

std::vector<Reauth> CountingStore::all_reauths() const {
    std::set<Reauth> result;
    for (const auto& [end, reauths] : reauths_)
        result.insert(reauths.begin(), reauths.end());
    return {result.begin(), result.end()};
}

Cost CountingStore::take_cost() { return std::exchange(cost_, {}); }

} // namespace terra_identity::test
