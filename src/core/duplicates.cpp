#include "core/duplicates.h"

#include "core/interrupts.h"

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace terra_identity {
namespace {

std::optional<Account> active_account(const Connection& connection) {
    return connection.status == Status::active ? connection.account() : std::nullopt;
}

/// The accounts whose active connections, or the reference_ids of these, changed; each with the event that caused it.
using AccountChanges = std::map<Account, std::int64_t>;

AccountChanges account_changes(Neighbourhood& neighbourhood) {
    AccountChanges changes;
    for (Node& node : interruptible(neighbourhood.nodes())) {
        if (!node.evaluated)
            continue;
        const auto before = node.stored ? active_account(*node.stored) : std::nullopt;
        const auto after = active_account(node.now);
        if (node.stored && before == after && has_same_reference(*node.stored, node.now))
            continue;
        for (const auto& account : {before, after})
            if (account)
                changes.emplace(*account, node.event_id);
        node.now.duplicate = false;
    }
    return changes;
}

/// Loads more active connections of the changed accounts: at most two of each, for two end users make a duplicate.
/// Resets the flag of all active connections on these accounts, until `mark_duplicates`.
void follow_account_changes(Neighbourhood& neighbourhood, const AccountChanges& changes) {
    std::map<Account, std::int64_t> loaded;
    for (const Node& node : interruptible(neighbourhood.nodes()))
        if (const auto account = node.stored ? active_account(*node.stored) : std::nullopt)
            ++loaded[*account];
    std::vector<AccountQuery> queries;
    queries.reserve(changes.size());
    for (const auto& [account, event_id] : changes)
        queries.push_back({account, loaded[account] + 2});
    neighbourhood.load_active(queries);
    for (Node& node : interruptible(neighbourhood.nodes())) {
        const auto account = active_account(node.now);
        const auto change = account ? changes.find(*account) : changes.end();
        if (change == changes.end())
            continue;
        node.now.duplicate = false;
        if (node.event_id == 0)
            node.event_id = change->second;
    }
}

/// Marks the active holders of an account as duplicates if they belong to different end users.
/// @param holders the loaded connections of the account, none of which is marked yet
void mark_duplicates(Sharers holders) {
    std::erase_if(holders, [](const Node* holder) { return holder->now.status != Status::active; });
    if (holders.empty() || has_same_reference(holders.front()->now, holders.back()->now))
        return;
    for (Node* const holder : interruptible(holders))
        holder->now.duplicate = true;
}

} // namespace

void derive_duplicates(Everything& everything) {
    for (const Sharers& holders : interruptible(everything.shared_slots.accounts))
        mark_duplicates(holders);
}

void derive_duplicates(Neighbourhood& neighbourhood) {
    const AccountChanges changed = account_changes(neighbourhood);
    if (changed.empty())
        return;
    follow_account_changes(neighbourhood, changed);
    for (const Sharers& holders : neighbourhood.shared_slots().accounts)
        if (changed.contains(*holders.front()->now.account()))
            mark_duplicates(holders);
}

} // namespace terra_identity
