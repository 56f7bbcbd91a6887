// Lineages: the connected components of reauths and of slots shared under one reference_id.
#include "core/disjoint_sets.h"
#include "core/neighbourhood.h"

#include <algorithm>
#include <iterator>

namespace terra_identity {
namespace {

/// The groups of `a` that `b` does not belong to.
std::vector<Group> groups_only_of(const Connection& a, const Connection& b) {
    std::vector<Group> mine = groups_of(a), other = groups_of(b), result;
    std::sort(mine.begin(), mine.end());
    std::sort(other.begin(), other.end());
    std::set_difference(mine.begin(), mine.end(), other.begin(), other.end(), std::back_inserter(result));
    return result;
}

/// Whether nothing of its lineage hangs by a connection that leaves its only group: the others stay linked to each
/// other, and keep their lineage_id, which is not this one's.
bool hangs_by_one_group(const Neighbourhood& neighbourhood, const Node& node) {
    const Connection& stored = *node.stored;
    return groups_of(stored).size() == 1 && stored.connection_id != stored.lineage_id &&
           neighbourhood.predecessors(stored.user_id).empty() && neighbourhood.successors(stored.user_id).empty();
}

/// A lineage that lost a link may fall apart: it is derived again from its members. A group that had no other member
/// was no link.
void dissolve_broken(Neighbourhood& neighbourhood) {
    std::map<Group, std::set<std::string>> left;
    for (const auto& [user_id, node] : neighbourhood.nodes())
        if (node.touched && node.stored)
            for (const Group& group : groups_only_of(*node.stored, node.now))
                left[group].insert(user_id);
    if (left.empty())
        return;
    std::vector<Group> groups;
    for (const auto& [group, user_ids] : left)
        groups.push_back(group);
    std::map<Group, std::set<std::string>> members;
    for (const Connection& member : neighbourhood.store().group_members(groups))
        for (const Group& group : groups_of(member))
            if (left.contains(group))
                members[group].insert(member.user_id);
    Neighbourhood::UserIds leavers;
    for (const auto& [group, user_ids] : left)
        if (members[group].size() > 1)
            leavers.insert(user_ids.begin(), user_ids.end());
    neighbourhood.require_reauths(leavers);
    std::set<std::int64_t> broken;
    for (const std::string& user_id : leavers) {
        Node& node = neighbourhood.at(user_id);
        if (hangs_by_one_group(neighbourhood, node))
            node.detached = true;
        else
            broken.insert(node.stored->lineage_id);
    }
    neighbourhood.dissolve(broken);
}

/// For every group that a touched connection enters, some of its stored members, if it has any. That none of them may
/// stay in it does no harm: a group that is left is loaded as a whole before, unless it had one member alone.
std::vector<Connection> members_of_entered_groups(Neighbourhood& neighbourhood) {
    std::set<Group> entered;
    for (const auto& [user_id, node] : neighbourhood.nodes())
        if (node.touched)
            for (Group& group : node.stored ? groups_only_of(node.now, *node.stored) : groups_of(node.now))
                entered.insert(std::move(group));
    if (entered.empty())
        return {};
    return neighbourhood.store().group_members({entered.begin(), entered.end()});
}

} // namespace

std::map<std::int64_t, std::int64_t> derive_lineages(Neighbourhood& neighbourhood) {
    if (!neighbourhood.complete()) {
        dissolve_broken(neighbourhood);
        neighbourhood.adopt(members_of_entered_groups(neighbourhood));
    }

    // A node stands for itself by its connection_id; a lineage that is not dissolved is one set already, which its
    // lineage_id, the connection_id of one of its members, stands for.
    DisjointSets<std::int64_t> lineages;
    std::set<std::int64_t> whole;
    const auto stand_in = [&](const Node& node) {
        return node.stored && !node.detached && !neighbourhood.is_dissolved(node.stored->lineage_id)
                   ? node.stored->lineage_id
                   : node.now.connection_id;
    };
    std::map<Group, std::int64_t> first_in_group;
    for (const auto& [user_id, node] : neighbourhood.nodes()) {
        const std::int64_t id = stand_in(node);
        lineages.number(id);
        if (node.stored && id == node.stored->lineage_id && !neighbourhood.is_dissolved(id))
            whole.insert(id);
        for (const Group& group : groups_of(node.now)) {
            const auto [first, added] = first_in_group.try_emplace(group, id);
            if (!added)
                lineages.join(first->second, id);
        }
    }
    for (const Reauth& reauth : neighbourhood.reauths())
        lineages.join(stand_in(neighbourhood.at(reauth.old_user_id)), stand_in(neighbourhood.at(reauth.new_user_id)));

    std::unordered_map<std::size_t, std::int64_t> least;
    const auto keep_least = [&](std::int64_t id) {
        const auto [found, added] = least.try_emplace(lineages.root_of(id), id);
        found->second = std::min(found->second, id);
    };
    for (const auto& [user_id, node] : neighbourhood.nodes())
        keep_least(stand_in(node));

    std::map<std::int64_t, std::int64_t> moved;
    for (const std::int64_t id : whole)
        if (const std::int64_t lineage_id = least.at(lineages.root_of(id)); lineage_id != id)
            moved.emplace(id, lineage_id);
    for (auto& [user_id, node] : neighbourhood.nodes())
        node.now.lineage_id = least.at(lineages.root_of(stand_in(node)));
    return moved;
}

} // namespace terra_identity
