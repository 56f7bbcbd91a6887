#include "core/lineages.h"

#include "core/disjoint_sets.h"
#include "core/interrupts.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <map>
#include <unordered_map>

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

/// Whether the node stays in its stored lineage, which then counts as a whole: its members need not be loaded.
bool stays_in_lineage(const Neighbourhood& neighbourhood, const Node& node) {
    return node.stored && !node.detached && !neighbourhood.is_dissolved(node.stored->lineage_id);
}

/// Whether a connection that leaves its only group can leave its lineage without breaking it. The other members stay
/// linked to one another because neither a reauth nor a correction goes through this connection, and they keep their
/// lineage_id because it is not the connection_id of this one. (Who names it in a correction, the caller asks.)
bool hangs_by_one_group(const Node& node) {
    return groups_of(*node.stored).size() == 1 && node.stored->connection_id != node.stored->lineage_id &&
           node.predecessors.empty() && node.successors.empty() && node.stored->facts.same_person() == nullptr;
}

/// The connection that a correction names as of the same person as this one; null if there is none, or if the
/// correction does not count.
template <class Find>
const Connection* same_person(const Connection& connection, const Find& find) {
    const std::string* const named = connection.facts.same_person();
    const Connection* const other = named == nullptr ? nullptr : find(*named);
    return other != nullptr && may_be_same_person(connection, *other) ? other : nullptr;
}

const Connection* stored_same_person(const Nodes& nodes, const Node& node) {
    if (!node.stored)
        return nullptr;
    return same_person(*node.stored, [&](const std::string& user_id) {
        const Node* const other = nodes.find(user_id);
        return other == nullptr ? nullptr : other->stored.get();
    });
}

const Node* same_person_now(const Nodes& nodes, const Node& node) {
    const Node* other = nullptr;
    const Connection* const found = same_person(node.now, [&](const std::string& user_id) {
        other = nodes.find(user_id);
        return other == nullptr ? nullptr : &other->now;
    });
    return found == nullptr ? nullptr : other;
}

/// Loads the other ends of the corrections that may begin or cease to count: because they are new, or because an end
/// has another reference_id or provider now.
void load_same_persons(Neighbourhood& neighbourhood) {
    std::vector<std::string> named, changed;
    for (const Node& node : interruptible(neighbourhood.nodes())) {
        if (!node.touched)
            continue;
        const bool is_other = node.stored && (node.stored->reference_id() != node.now.reference_id() ||
                                              node.stored->provider() != node.now.provider());
        if (is_other)
            changed.push_back(node.now.user_id);
        if (!is_other && node.stored && node.stored->facts.same_person_as == node.now.facts.same_person_as)
            continue;
        if (const std::string* const before = node.stored ? node.stored->facts.same_person() : nullptr)
            named.push_back(*before);
        if (const std::string* const now = node.now.facts.same_person())
            named.push_back(*now);
    }
    if (!named.empty() || !changed.empty())
        neighbourhood.require_same_persons(named, changed);
}

/// The lineages that lost a link that a correction had made.
std::set<std::int64_t> lineages_without_correction(const Neighbourhood& neighbourhood) {
    const Nodes& nodes = neighbourhood.nodes();
    std::set<std::int64_t> result;
    for (const Node& node : interruptible(nodes)) {
        const Connection* const before = stored_same_person(nodes, node);
        if (before == nullptr)
            continue;
        const Node* const now = same_person_now(nodes, node);
        if (now == nullptr || now->now.user_id != before->user_id)
            result.insert(node.stored->lineage_id);
    }
    return result;
}

/// The lineages that lost a link because a connection left a group, and that may fall apart. A group without any other
/// member was no link.
std::set<std::int64_t> lineages_without_group(Neighbourhood& neighbourhood) {
    std::map<Group, std::vector<Node*>> left;
    for (Node& node : interruptible(neighbourhood.nodes()))
        if (node.touched && node.stored)
            for (const Group& group : groups_only_of(*node.stored, node.now))
                left[group].push_back(&node);
    if (left.empty())
        return {};
    std::vector<Group> groups;
    groups.reserve(left.size());
    for (const auto& [group, nodes] : left)
        groups.push_back(group);
    std::map<Group, std::set<std::string>> members;
    for (const Connection& member : neighbourhood.group_members(groups, {}))
        for (const Group& group : groups_of(member))
            if (left.contains(group))
                members[group].insert(member.user_id);
    std::vector<Node*> leavers;
    for (const auto& [group, nodes] : left)
        if (members[group].size() > 1)
            leavers.insert(leavers.end(), nodes.begin(), nodes.end());
    if (leavers.empty())
        return {};
    neighbourhood.require_reauths(leavers);
    std::vector<std::string> user_ids;
    user_ids.reserve(leavers.size());
    for (const Node* const node : leavers)
        user_ids.push_back(node->now.user_id);
    UserIds named;
    for (const Connection& naming : neighbourhood.require_same_persons({}, user_ids))
        named.insert(*naming.facts.same_person());
    std::set<std::int64_t> broken;
    for (Node* const node : interruptible(leavers))
        if (hangs_by_one_group(*node) && !named.contains(node->now.user_id))
            node->detached = true;
        else
            broken.insert(node->stored->lineage_id);
    return broken;
}

/// Dissolves every lineage that lost a link and so may fall apart: it is derived again from its members.
void dissolve_broken(Neighbourhood& neighbourhood) {
    load_same_persons(neighbourhood);
    std::set<std::int64_t> broken = lineages_without_group(neighbourhood);
    broken.merge(lineages_without_correction(neighbourhood));
    neighbourhood.dissolve(broken);
}

/// For every group that a touched connection enters: some of its stored members that stay in it, if there are any.
std::vector<Connection> members_of_entered_groups(Neighbourhood& neighbourhood) {
    std::set<Group> entered;
    UserIds leaving;
    for (const Node& node : interruptible(neighbourhood.nodes())) {
        if (!node.touched)
            continue;
        for (Group& group : node.stored ? groups_only_of(node.now, *node.stored) : groups_of(node.now))
            entered.insert(std::move(group));
        if (node.stored && !groups_only_of(*node.stored, node.now).empty())
            leaving.insert(node.now.user_id);
    }
    if (entered.empty())
        return {};
    return neighbourhood.group_members({entered.begin(), entered.end()}, leaving);
}

void join_all_of_one_reference(DisjointSets& lineages, const Sharers& sharers) {
    for (std::size_t i = 1; i < sharers.size(); ++i)
        if (has_same_reference(sharers[i - 1]->now, sharers[i]->now))
            lineages.join(sharers[i - 1]->number, sharers[i]->number);
}

void join_all_linked(DisjointSets& lineages, const Nodes& nodes, const SharedSlots& shared) {
    for (const Sharers& sharers : interruptible(shared.accounts))
        join_all_of_one_reference(lineages, sharers);
    for (const Sharers& sharers : interruptible(shared.references))
        join_all_of_one_reference(lineages, sharers);
    for (const Link& link : interruptible(nodes.links()))
        if (!link.transfer)
            lineages.join(link.old_node->number, link.new_node->number);
    for (const Node& node : interruptible(nodes))
        if (const Node* const other = same_person_now(nodes, node))
            lineages.join(node.number, other->number);
}

/// Sets the `lineage_id` of all nodes: the least id that the members of its lineage bring in.
/// @param id_of returns the id that a node brings in
template <class IdOf>
void set_lineage_ids(DisjointSets& lineages, Nodes& nodes, const IdOf& id_of) {
    std::vector<std::int64_t> least(nodes.size(), std::numeric_limits<std::int64_t>::max());
    for (const Node& node : interruptible(nodes)) {
        std::int64_t& found = least[lineages.root(node.number)];
        found = std::min(found, id_of(node));
    }
    for (Node& node : interruptible(nodes))
        node.now.lineage_id = least[lineages.root(node.number)];
}

/// The numbers of the nodes in sets: the nodes of one stored lineage are in one set, unless they leave it or it is
/// dissolved.
DisjointSets stored_lineages(const Neighbourhood& neighbourhood) {
    DisjointSets lineages(neighbourhood.nodes().size());
    std::unordered_map<std::int64_t, std::uint32_t> first_of_lineage;
    for (const Node& node : interruptible(neighbourhood.nodes()))
        if (stays_in_lineage(neighbourhood, node))
            lineages.join(first_of_lineage.try_emplace(node.stored->lineage_id, node.number).first->second,
                          node.number);
    return lineages;
}

} // namespace

void derive_lineages(Everything& everything) {
    DisjointSets lineages(everything.nodes.size());
    join_all_linked(lineages, everything.nodes, everything.shared_slots);
    set_lineage_ids(lineages, everything.nodes, [](const Node& node) { return node.now.connection_id; });
}

std::map<std::int64_t, std::int64_t> derive_lineages(Neighbourhood& neighbourhood) {
    dissolve_broken(neighbourhood);
    neighbourhood.adopt(members_of_entered_groups(neighbourhood));
    Nodes& nodes = neighbourhood.nodes();
    DisjointSets lineages = stored_lineages(neighbourhood);
    join_all_linked(lineages, nodes, neighbourhood.shared_slots());
    // A lineage that is not dissolved may have members that are not loaded: its lineage_id stands for the least id of
    // all.
    set_lineage_ids(lineages, nodes, [&](const Node& node) {
        return stays_in_lineage(neighbourhood, node) ? node.stored->lineage_id : node.now.connection_id;
    });
    std::map<std::int64_t, std::int64_t> moved;
    for (const Node& node : interruptible(nodes))
        if (stays_in_lineage(neighbourhood, node) && node.stored->lineage_id != node.now.lineage_id)
            moved.emplace(node.stored->lineage_id, node.now.lineage_id);
    return moved;
}

} // namespace terra_identity
