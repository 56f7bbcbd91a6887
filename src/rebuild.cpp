// rebuild and verify: derive the state of an environment again from the ledger, to write it or to compare with it.
#include "rebuild.h"

#include "core/differences.h"
#include "core/everything.h"

#include <utility>
#include <vector>

#include "pg/function.h"
#include "pg/query.h"
#include "pg/result_rows.h"
#include "tables/derived_writer.h"
#include "tables/disconnects.h"
#include "tables/empty_copy.h"
#include "tables/known_connections.h"
#include "tables/ledger.h"
#include "tables/locks.h"
#include "tables/progress.h"
#include "tables/routes.h"
#include "tables/rules.h"
#include "tables/table_store.h"

namespace terra_identity {
namespace {

using namespace pg;
using namespace tables;

Derived derive_from_ledger(const Rules& rules, TableStore& store, const std::string& dev_id, Reads reads,
                           ToldProgress& progress) {
    Fold fold = fold_ledger(dev_id, reads, progress);
    std::vector<Connection> stored = store.all_connections();
    const std::vector<Reauth> reauths = store.all_reauths();
    progress.begin("connections derived", fold.nodes.size());
    progress.at(0);
    return derive_everything(rules, std::move(fold), std::move(stored), reauths,
                             [&store] { return store.new_connection_id(); });
}

/// Compares the stored state with the ledger, in the snapshot of the calling statement. Changes nothing.
std::vector<Difference> verify(const std::string& dev_id) {
    Table table("connections", AccessShareLock);
    std::vector<Difference> differences;
    ToldProgress progress("verify");
    as_owner(table.owner(), [&] {
        const Rules rules = read_rules(dev_id, Reads::statement);
        TableStore store(table, dev_id, Reads::statement);
        differences = differences_of(derive_from_ledger(rules, store, dev_id, Reads::statement, progress));
    });
    table.close();
    return differences;
}

} // namespace

std::int64_t rebuild(const std::string& dev_id) {
    Table table("connections", RowExclusiveLock);
    std::int64_t changed = 0;
    ToldProgress progress("rebuild");
    as_owner(table.owner(), [&] {
        EnvironmentLocks locks(dev_id);
        locks.lock_environment(true);
        const Rules rules = read_rules(dev_id, Reads::latest);
        TableStore store(table, dev_id);
        changed = write(derive_from_ledger(rules, store, dev_id, Reads::latest, progress), store, rules.on_duplicate,
                        &progress);
        write_all_disconnects(rules.on_duplicate, store);
        if (changed > 0)
            forget_connections_everywhere();
    });
    table.close();
    return changed;
}

PG_FUNCTION(terra_identity_rebuild) {
    begin_batch_if_called_again(fcinfo);
    return Int64GetDatum(rebuild(dev_id_argument(argument(fcinfo, 0))));
}

PG_FUNCTION(terra_identity_verify) {
    refuse_on_empty_copy();
    ResultRows rows(fcinfo);
    for (const Difference& difference : verify(dev_id_argument(argument(fcinfo, 0))))
        rows.add({text_of(difference.user_id), text_of(difference.column), difference.stored, difference.derived});
    return Datum{0};
}

} // namespace terra_identity
