#include "rebuild.h"

#include "core/everything.h"
#include "tables/environment.h"
#include "tables/known_connections.h"
#include "tables/ledger.h"
#include "tables/locks.h"
#include "pg/query.h"
#include "tables/table_store.h"
#include "tables/writer.h"

namespace terra_identity {

using namespace pg;
using namespace tables;

namespace {

/// The policy does not matter to SDK providers.
Query select_other_policy = R"(
    SELECT FROM terra_identity.connections c
    LEFT JOIN terra_identity.environments e ON e.dev_id = c.dev_id
    WHERE c.dev_id = $1 AND NOT c.sdk AND c.account_exclusive <> (coalesce(e.account_policy, 'keep') = 'replace')
    LIMIT 1)";

/// Those whose connections were derived by other rules of the provider $1 than it has.
Query select_environments_of_other_provider = R"(
    SELECT DISTINCT c.dev_id FROM terra_identity.connections c
    LEFT JOIN terra_identity.providers p ON p.provider = c.provider
    WHERE c.provider = $1
      AND (c.sdk <> coalesce(p.sdk, false) OR c.account_unusable <> (coalesce(p.account_ids, 'unique') = 'unusable'))
    ORDER BY c.dev_id)";

void derive_again(const Table& table, const std::string& dev_id) {
    const Rules rules = read_rules(dev_id, Reads::latest);
    TableStore store(table, dev_id);
    write(derive_everything(rules, store.all_connections(), store.all_reauths()), table, dev_id);
}

Derived derive_from_ledger(const Rules& rules, TableStore& store, const std::string& dev_id, Reads reads) {
    return derive_everything(rules, fold_ledger(dev_id, reads), store.all_connections(), store.all_reauths(),
                             [&store] { return store.new_connection_id(); });
}

using Columns = std::vector<std::pair<const char*, std::optional<std::string>>>;

std::optional<std::string> shown(const std::optional<Micros>& time) {
    return time ? std::optional(format_iso8601(*time)) : std::nullopt;
}

std::optional<std::string> shown(const Register& written) {
    if (!written)
        return std::nullopt;
    return written->value + " (" + (written->passing ? "in passing, " : "") + format_iso8601(written->at) + ")";
}

std::string shown(const Reauth& reauth) { return reauth.old_user_id + (reauth.transfer ? " (transfer)" : ""); }

std::optional<std::string> shown(bool flag) { return flag ? "true" : "false"; }

/// Everything that a connection is made of, by the names of its columns.
Columns columns_of(const Connection& connection) {
    const Facts& facts = connection.facts;
    return {
        {"lineage_id", std::to_string(connection.lineage_id)},
        {"reference_id", shown(facts.reference_id)},
        {"provider", shown(facts.provider)},
        {"provider_user_id", connection.provider_user_id},
        {"status", std::string(to_string(connection.status))},
        {"successor_user_id", connection.successor_user_id},
        {"confirmed", shown(facts.confirmed)},
        {"scopes", shown(facts.scopes)},
        {"created_at", shown(facts.created_at)},
        {"first_seen_at", shown(facts.first_seen_at)},
        {"connected_at", format_iso8601(connection.connected_at)},
        {"ended_at", shown(connection.ended_at)},
        {"live", shown(facts.live)},
        {"alive_at", shown(facts.alive_at)},
        {"replaced_by", shown(facts.replaced)},
        {"deauthenticated_at", shown(facts.deauthenticated_at)},
        {"revoked_at", shown(facts.revoked_at)},
        {"failed_at", shown(facts.failed_at)},
        {"degraded_at", shown(facts.degraded_at)},
        {"own_provider_user_id", shown(facts.provider_user_id)},
        {"sdk", shown(connection.sdk)},
        {"account_exclusive", shown(connection.account_exclusive)},
        {"account_unusable", shown(connection.account_unusable)},
        {"duplicate", shown(connection.duplicate)},
        {"cyclic", shown(connection.cyclic)},
        {"dated and the times of values", connection.consistent ? "consistent" : "inconsistent"},
    };
}

void compare(const Node& node, std::vector<Difference>& differences) {
    if (!node.stored) {
        differences.push_back({node.now.user_id, "user_id", std::nullopt, node.now.user_id});
        return;
    }
    const Columns stored = columns_of(*node.stored), derived = columns_of(node.now);
    for (std::size_t i = 0; i < stored.size(); ++i)
        if (stored[i].second != derived[i].second)
            differences.push_back({node.now.user_id, stored[i].first, stored[i].second, derived[i].second});
}

} // namespace

void follow_policy(const Table& table, const std::string& dev_id) {
    EnvironmentLocks locks(dev_id);
    locks.lock_environment(true);
    select_other_policy.run({text_parameter(dev_id)});
    if (Query::rows() > 0)
        derive_again(table, dev_id);
}

void follow_provider(const Table& table, const std::string& provider) {
    const SPITupleTable* const found = select_environments_of_other_provider.run({text_parameter(provider)});
    std::vector<std::string> dev_ids;
    for (std::uint64_t i = 0; i < Query::rows(); ++i)
        dev_ids.push_back(string_of(column(found, i, 1).value));
    for (const std::string& dev_id : dev_ids) {
        EnvironmentLocks locks(dev_id);
        locks.lock_environment(true);
        derive_again(table, dev_id);
    }
}

std::int64_t rebuild(const std::string& dev_id) {
    Table table("connections", RowExclusiveLock);
    std::int64_t changed = 0;
    as_owner(table.owner(), [&] {
        EnvironmentLocks locks(dev_id);
        locks.lock_environment(true);
        const Rules rules = read_rules(dev_id, Reads::latest);
        TableStore store(table, dev_id);
        changed = write(derive_from_ledger(rules, store, dev_id, Reads::latest), table, dev_id);
        if (changed > 0)
            forget_connections_everywhere();
    });
    table.close();
    return changed;
}

std::vector<Difference> verify(const std::string& dev_id) {
    Table table("connections", AccessShareLock);
    std::vector<Difference> differences;
    as_owner(table.owner(), [&] {
        const Rules rules = read_rules(dev_id, Reads::statement);
        TableStore store(table, dev_id, Reads::statement);
        const Derived derived = derive_from_ledger(rules, store, dev_id, Reads::statement);
        for (const Node& node : derived.nodes)
            compare(node, differences);
        for (const Connection& connection : derived.vanished)
            differences.push_back({connection.user_id, "user_id", connection.user_id, std::nullopt});
        for (const Reauth& reauth : derived.new_reauths)
            differences.push_back({reauth.new_user_id, "reauths", std::nullopt, shown(reauth)});
        for (const Reauth& reauth : derived.vanished_reauths)
            differences.push_back({reauth.new_user_id, "reauths", shown(reauth), std::nullopt});
    });
    table.close();
    return differences;
}

} // namespace terra_identity
