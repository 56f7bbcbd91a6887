#include "apply.h"

#include "core/derivation.h"
#include "core/interrupts.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "pg/query.h"
#include "pg/row_versions.h"
#include "tables/connection_row.h"
#include "tables/derived_writer.h"
#include "tables/disputes.h"
#include "tables/locks.h"
#include "tables/rules.h"
#include "tables/table_store.h"

namespace terra_identity {

using namespace pg;
using namespace tables;

namespace {

/// A transaction that would hold more keys than this locks the whole environment instead, because the server's lock
/// table is shared and small.
constexpr std::size_t max_keys = 1000;

/// A transaction that needed more keys after this many attempts also locks the whole environment.
constexpr int max_attempts = 10;

/// The user_ids that the news name, each once, in the order of the events.
std::vector<std::string> user_ids_of(const News& news) {
    std::vector<std::string> result;
    std::set<std::string_view> seen;
    for (const News::Item& item : news.items)
        if (seen.insert(item.contribution.user_id).second)
            result.push_back(item.contribution.user_id);
    return result;
}

Derived derive(Store& store, const Rules& rules, Held held, const News& news,
               const std::vector<std::string>& user_ids) {
    Derivation derivation(store, rules, held);
    derivation.require(user_ids);
    for (const News::Item& item : interruptible(news.items))
        derivation.tell(item.contribution, item.event_id);
    for (const News::Link& link : news.reauths)
        derivation.link(link.reauth);
    return derivation.derive();
}

/// How many active connections are looked at, and named, where a user_reauth names no old one.
constexpr std::size_t most_looked_at = 100;
constexpr std::size_t most_candidates = 10;

/// The user_reauths of the news that name no old connection, although others of the end user and provider are active.
std::vector<ReauthOfNobody> reauths_of_nobody(const News& news, const Derived& derived, TableStore& store) {
    std::vector<ReauthOfNobody> result;
    for (ReauthOfNobody reauth : interruptible(news.reauths_of_nobody)) {
        const Connection& now = derived.nodes.at(reauth.new_user_id).now;
        if (now.status != Status::active || !now.reference_id())
            continue;
        for (const Connection& other : store.active_of(*now.reference_id(), most_looked_at))
            if (other.user_id != now.user_id && other.provider() == now.provider() && is_older(other, now) &&
                reauth.candidates.size() < most_candidates)
                reauth.candidates.push_back(other.user_id);
        if (!reauth.candidates.empty())
            result.push_back(std::move(reauth));
    }
    return result;
}

/// The disputes of the news, without those of which another transaction has told. The connections are locked.
std::vector<Dispute> new_disputes(const std::string& dev_id, const News& news) {
    std::vector<Dispute> result;
    for (const Dispute& dispute : interruptible(news.disputes))
        if (!is_disputed(dev_id, dispute.user_id, dispute.reference_id, DisputesOf::other_transactions))
            result.push_back(dispute);
    return result;
}

/// Records the deliveries, and drops the contributions of repeated ones from the news. Does nothing when it is called
/// again. @return whether nothing was dropped
bool take(const std::string& dev_id, News& news) {
    if (news.deliveries.empty())
        return true;
    const std::set<std::int64_t> repeated = take_deliveries(dev_id, std::exchange(news.deliveries, {}));
    const auto is_repeated = [&](const auto& said) { return repeated.contains(said.event_id); };
    return std::erase_if(news.items, is_repeated) + std::erase_if(news.reauths, is_repeated) +
               std::erase_if(news.reauths_of_nobody, is_repeated) + std::erase_if(news.disputes, is_repeated) ==
           0;
}

/// Applies the news of one environment. Which locks are needed is only known after reading, and what was read is only
/// valid under these locks. So it locks, reads, and starts again with more locks until none is missing. The first set
/// of locks is sufficient for most statements.
void apply_to(const std::string& dev_id, News& news, bool whole, const Table& table) {
    std::vector<std::string> user_ids = user_ids_of(news);
    EnvironmentLocks locks(dev_id);
    const auto lock_rules = [&](bool exclusive) {
        locks.lock_environment(exclusive);
        return remembered_rules(dev_id);
    };
    const auto too_many = [](std::size_t more) { return keys_of_transaction() + more > max_keys; };
    bool exclusive = whole || news.items.size() > bulk_items || locks.held_exclusive() || too_many(user_ids.size());
    Rules rules = lock_rules(exclusive);
    TableStore store(table, dev_id);
    Keys keys;
    if (!exclusive)
        for (const std::string& user_id : user_ids)
            keys.insert(ConnectionKey{user_id});
    for (int attempt = 1;; ++attempt) {
        if (!exclusive)
            locks.lock(keys);
        store.start_again();
        Derived derived = derive(store, rules, exclusive ? Held::environment : Held::keys, news, user_ids);
        const Keys& needed = derived.keys;
        if (std::includes(keys.begin(), keys.end(), needed.begin(), needed.end())) {
            if (!take(dev_id, news)) {
                user_ids = user_ids_of(news);
                continue;
            }
            if (IsolationUsesXactSnapshot())
                refuse_unseen(table, find_connections(table, dev_id, user_ids, Reads::latest));
            derived.reauths_of_nobody = reauths_of_nobody(news, derived, store);
            derived.disputes = new_disputes(dev_id, news);
            write(derived, store, rules.on_duplicate);
            return;
        }
        keys.insert(needed.begin(), needed.end());
        locks.release_keys();
        if (too_many(keys.size()) || attempt == max_attempts) {
            locks.release();
            exclusive = true;
            rules = lock_rules(exclusive);
            store = TableStore(table, dev_id);
        }
    }
}

/// Whether a statement with these news may hold one lock while it waits for another one of the same level: it has
/// deliveries of several environments, or several deliveries.
bool is_batch(const NewsByEnvironment& news) {
    return news.size() > 1 || (!news.empty() && news.begin()->second.deliveries.size() > 1);
}

} // namespace

void apply_news(NewsByEnvironment news, bool in_parts) {
    if (in_parts || is_batch(news))
        lock_batches(in_parts);
    const bool whole = keeps_batches_out();
    const bool has_items =
        std::any_of(news.begin(), news.end(), [](const auto& its) { return !its.second.items.empty(); });
    std::optional<Table> connections;
    if (has_items)
        connections.emplace("connections", RowExclusiveLock);
    for (auto& [dev_id, its_news] : news) {
        if (!its_news.items.empty()) {
            apply_to(dev_id, its_news, whole, *connections);
            continue;
        }
        if (whole)
            EnvironmentLocks(dev_id).lock_environment(true);
        take(dev_id, its_news);
    }
    if (connections)
        connections->close();
}

} // namespace terra_identity
