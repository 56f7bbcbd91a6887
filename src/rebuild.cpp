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
        differences = differences_of(derive_from_ledger(rules, store, dev_id, Reads::statement));
    });
    table.close();
    return differences;
}

} // namespace terra_identity
