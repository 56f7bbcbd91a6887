#include "tables/accepted_duplicates.h"

#include "core/interrupts.h"

#include <optional>
#include <utility>

#include "pg/relations.h"

namespace terra_identity::tables {

using namespace pg;

void tell_accepted(std::vector<Change>& changes, const std::string& dev_id) {
    std::optional<Table> table;
    for (Change& change : interruptible(changes)) {
        if (change.kind != "duplicate_opened" && change.kind != "duplicate_closed")
            continue;
        if (!table)
            table.emplace("accepted_duplicates", AccessShareLock);
        const IndexScan accepted{.table = table->relation(), .index = "accepted_duplicates_pkey", .limit = 1};
        change.detail["accepted"] =
            !accepted
                 .fetch(std::move(IndexKeys()
                                      .equals(dev_id)
                                      .equals(change.detail["provider"].get<std::string>())
                                      .equals(change.detail["provider_user_id"].get<std::string>())))
                 .empty();
    }
    if (table)
        table->close();
}

} // namespace terra_identity::tables
