#include "tables/accepted_duplicates.h"

#include "core/interrupts.h"

#include <optional>
#include <utility>

#include "pg/relations.h"

namespace terra_identity::tables {

using namespace pg;

namespace {

bool has(const Table& accepted_duplicates, const std::string& dev_id, const Account& account) {
    const IndexScan by_key{.table = accepted_duplicates.relation(), .index = "accepted_duplicates_pkey", .limit = 1};
    return !by_key
                .fetch(std::move(IndexKeys().equals(dev_id).equals(account.provider).equals(account.provider_user_id)))
                .empty();
}

} // namespace

bool is_accepted(const std::string& dev_id, const Account& account) {
    Table table("accepted_duplicates", AccessShareLock);
    const bool found = has(table, dev_id, account);
    table.close();
    return found;
}

void tell_accepted(std::vector<Change>& changes, const std::string& dev_id) {
    std::optional<Table> table;
    for (Change& change : interruptible(changes)) {
        if (change.kind != "duplicate_opened" && change.kind != "duplicate_closed")
            continue;
        if (!table)
            table.emplace("accepted_duplicates", AccessShareLock);
        change.detail["accepted"] =
            has(*table, dev_id, {change.detail["provider"].text(), change.detail["provider_user_id"].text()});
    }
    if (table)
        table->close();
}

} // namespace terra_identity::tables
