#include "core/disconnects.h"

#include "core/interrupts.h"

#include <algorithm>

namespace terra_identity {
namespace {

/// Whether it is known whose the connection is and since when. One of nobody may be of one of the others; and of one
/// that only passing events named, nobody knows whether it is the older.
bool can_be_compared(const Connection& connection) { return connection.reference_id() && connection.facts.dated(); }

} // namespace

bool Disconnects::contains(std::string_view user_id) const {
    return std::find(user_ids.begin(), user_ids.end(), user_id) != user_ids.end();
}

Disconnects disconnects_of(OnDuplicate on_duplicate, bool is_accepted, const std::vector<Connection>& active) {
    if (on_duplicate == OnDuplicate::report)
        return {{}, "on_duplicate is report"};
    if (is_accepted)
        return {{}, "the account may be shared"};
    if (active.size() >= crowd)
        return {{}, "many end users are on the account"};
    if (std::any_of(active.begin(), active.end(), [](const Connection& connection) { return connection.sdk; }))
        return {{}, "the account is a device, which several people may use"};
    std::vector<const Connection*> compared;
    for (const Connection& connection : active)
        if (can_be_compared(connection))
            compared.push_back(&connection);
    std::sort(compared.begin(), compared.end(),
              [](const Connection* a, const Connection* b) { return is_older(*a, *b); });
    if (compared.size() < 2)
        return {{}, "no other end user is known to be on the account"};
    const Connection& kept = on_duplicate == OnDuplicate::disconnect_older ? *compared.back() : *compared.front();
    Disconnects result{{}, "another connection of the account is disconnected instead"};
    for (const Connection* connection : compared)
        if (connection != &kept)
            result.user_ids.push_back(connection->user_id);
    return result;
}

std::map<Account, std::int64_t> accounts_to_disconnect(const Derived& derived) {
    std::map<Account, std::int64_t> accounts;
    const auto add = [&](const Connection& connection, std::int64_t event_id) {
        if (connection.duplicate)
            if (const auto account = connection.account()) {
                std::int64_t& cause = accounts[*account];
                cause = std::max(cause, event_id);
            }
    };
    for (const Node& node : interruptible(derived.nodes)) {
        const bool was_duplicate = node.stored && node.stored->duplicate;
        if ((!was_duplicate && !node.now.duplicate) || !node.changed())
            continue;
        if (node.stored)
            add(*node.stored, node.event_id);
        add(node.now, node.event_id);
    }
    for (const Connection& vanished : interruptible(derived.vanished))
        add(vanished, 0);
    return accounts;
}

Micros wait_after(std::int64_t attempts) {
    constexpr Micros first = 30 * micros_per_second, longest = 3600 * micros_per_second;
    Micros wait = first;
    for (std::int64_t i = 1; i < attempts && wait < longest; ++i)
        wait *= 2;
    return std::min(wait, longest);
}

} // namespace terra_identity
