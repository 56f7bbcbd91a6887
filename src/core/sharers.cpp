#include "core/sharers.h"

#include "core/interrupts.h"

#include <algorithm>
#include <functional>
#include <string_view>
#include <tuple>

namespace terra_identity {
namespace {

/// A provider, and the id of one of its accounts or of an end user.
using Name = std::pair<std::string_view, std::string_view>;

struct Named {
    std::size_t hash;
    Node* node;
};

std::size_t hash_of(const Name& name) {
    const std::hash<std::string_view> hash;
    return hash(name.first) * 31 + hash(name.second);
}

std::string_view reference_of(const Node& node) {
    return node.now.facts.reference_id ? std::string_view(node.now.facts.reference_id->value) : std::string_view();
}

/// Returns the groups of nodes that have the same name. Nodes are sorted by hash first, so that the names of most
/// nodes, which share nothing, are never compared.
template <class NameOf>
std::vector<Sharers> sharers(std::vector<Named> named, const NameOf& name_of) {
    std::sort(named.begin(), named.end(), [&](const Named& a, const Named& b) {
        if (a.hash != b.hash)
            return a.hash < b.hash;
        const auto name = [&](const Node& node) { return std::pair(name_of(node.now), reference_of(node)); };
        const auto order = name(*a.node) <=> name(*b.node);
        return order != 0 ? order < 0 : is_older(a.node->now, b.node->now);
    });
    std::vector<Sharers> result;
    for (auto first = named.begin(); first != named.end();) {
        check_interrupts();
        const auto last = std::find_if(first + 1, named.end(), [&](const Named& other) {
            return other.hash != first->hash || name_of(other.node->now) != name_of(first->node->now);
        });
        if (last - first > 1)
            for (Sharers& added = result.emplace_back(); first != last; ++first)
                added.push_back(first->node);
        first = last;
    }
    return result;
}

std::optional<Name> account_of(const Connection& connection) {
    if (!connection.has_account())
        return std::nullopt;
    return Name(connection.facts.provider->value, *connection.provider_user_id);
}

std::optional<Name> end_user_of(const Connection& connection) {
    if (!connection.sdk || !connection.facts.reference_id)
        return std::nullopt;
    return Name(connection.facts.provider->value, connection.facts.reference_id->value);
}

} // namespace

SharedSlots shared_slots_of(Nodes& nodes) {
    std::vector<Named> accounts, end_users;
    for (Node& node : interruptible(nodes)) {
        if (const auto account = account_of(node.now))
            accounts.push_back({hash_of(*account), &node});
        if (const auto end_user = end_user_of(node.now))
            end_users.push_back({hash_of(*end_user), &node});
    }
    return {sharers(std::move(accounts), account_of), sharers(std::move(end_users), end_user_of)};
}

} // namespace terra_identity
