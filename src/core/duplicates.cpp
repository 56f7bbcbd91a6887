#include "core/duplicates.h"

#include "core/interrupts.h"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

namespace terra_identity {
namespace {

std::optional<Account> active_account(const Connection& connection) {
    return connection.status == Status::active ? connection.account() : std::nullopt;
}

bool is_duplicate(const Connection* connection) { return connection != nullptr && connection->duplicate; }

/// Whether a node is a duplicate before and after, on the same account.
bool stays_duplicate(const Node& node) {
    return is_duplicate(node.stored.get()) && node.now.duplicate && node.stored->account() == node.now.account();
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

/// Loads active connections of these accounts: of each `more` than are loaded, if it has as many.
void load_more(Neighbourhood& neighbourhood, const std::set<Account>& accounts, std::size_t more) {
    std::map<Account, std::int64_t> loaded;
    for (const Node& node : interruptible(neighbourhood.nodes()))
        if (const auto account = node.stored ? active_account(*node.stored) : std::nullopt)
            ++loaded[*account];
    std::vector<AccountQuery> queries;
    queries.reserve(accounts.size());
    for (const Account& account : accounts)
        queries.push_back({account, loaded[account] + static_cast<std::int64_t>(more)});
    neighbourhood.load_active(queries);
}

/// Loads more active connections of the changed accounts: at most two of each, for two end users make a duplicate.
/// Resets the flag of all active connections on these accounts, until `mark_duplicates`.
void follow_account_changes(Neighbourhood& neighbourhood, const AccountChanges& changes) {
    std::set<Account> accounts;
    for (const auto& [account, event_id] : changes)
        accounts.insert(account);
    load_more(neighbourhood, accounts, 2);
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

/// Marks the active holders of an account as duplicates if there are several: they are of different end users, or one
/// would have superseded the other.
/// @param holders the loaded connections of the account, none of which is marked yet
void mark_duplicates(Sharers holders) {
    std::erase_if(holders, [](const Node* holder) { return holder->now.status != Status::active; });
    if (holders.size() < 2)
        return;
    for (Node* const holder : interruptible(holders))
        holder->now.duplicate = true;
}

/// Loads whom the feed names: the active connections of the accounts on which a duplicate opens or closes.
void load_holders(Neighbourhood& neighbourhood) {
    std::set<Account> accounts;
    for (const Node& node : interruptible(neighbourhood.nodes()))
        for (const auto& account : {opened_duplicate(node), closed_duplicate(node)})
            if (account)
                accounts.insert(*account);
    if (!accounts.empty())
        load_more(neighbourhood, accounts, max_named_holders + 1);
}

} // namespace

std::optional<Account> opened_duplicate(const Node& node) {
    return node.now.duplicate && !stays_duplicate(node) ? node.now.account() : std::nullopt;
}

std::optional<Account> closed_duplicate(const Node& node) {
    return is_duplicate(node.stored.get()) && !stays_duplicate(node) ? node.stored->account() : std::nullopt;
}

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
    load_holders(neighbourhood);
}

} // namespace terra_identity
