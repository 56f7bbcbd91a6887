// rebuild and verify: derive the state of an environment again from the ledger, to write it or to compare with it.
#include "core/differences.h"
#include "core/everything.h"

#include <array>

#include "pg/function.h"
#include "pg/query.h"
#include "tables/derived_writer.h"
#include "tables/known_connections.h"
#include "tables/ledger.h"
#include "tables/locks.h"
#include "tables/routes.h"
#include "tables/rules.h"
#include "tables/table_store.h"

namespace terra_identity {
namespace {

using namespace pg;
using namespace tables;

Derived derive_from_ledger(const Rules& rules, TableStore& store, const std::string& dev_id, Reads reads) {
    return derive_everything(rules, fold_ledger(dev_id, reads), store.all_connections(), store.all_reauths(),
                             [&store] { return store.new_connection_id(); });
}

/// Derives the state of an environment from the ledger and writes it; connection_ids stay. @return how many rows
/// changed
std::int64_t rebuild(const std::string& dev_id) {
    Table table("connections", RowExclusiveLock);
    std::int64_t changed = 0;
    as_owner(table.owner(), [&] {
        EnvironmentLocks locks(dev_id);
        locks.lock_environment(true);
        const Rules rules = read_rules(dev_id, Reads::latest);
        TableStore store(table, dev_id);
        changed = write(derive_from_ledger(rules, store, dev_id, Reads::latest), store);
        if (changed > 0)
            forget_connections_everywhere();
    });
    table.close();
    return changed;
}

/// Compares the stored state with the ledger, in the snapshot of the calling statement. Changes nothing.
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

} // namespace

PG_FUNCTION(terra_identity_rebuild) {
    begin_batch_if_called_again(fcinfo);
    return Int64GetDatum(rebuild(dev_id_argument(argument(fcinfo, 0))));
}

PG_FUNCTION(terra_identity_verify) {
    call([fcinfo] { InitMaterializedSRF(fcinfo, 0); });
    auto* const result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    for (const Difference& difference : verify(dev_id_argument(argument(fcinfo, 0)))) {
        const std::array<NullableValue, 4> columns{NullableValue(text_of(difference.user_id)),
                                                   NullableValue(text_of(difference.column)),
                                                   NullableValue(difference.stored), NullableValue(difference.derived)};
        std::array<Datum, 4> values{};
        std::array<bool, 4> nulls{};
        for (std::size_t i = 0; i < columns.size(); ++i) {
            values[i] = columns[i].value;
            nulls[i] = columns[i].is_null;
        }
        call([&] { tuplestore_putvalues(result->setResult, result->setDesc, values.data(), nulls.data()); });
    }
    return Datum{0};
}

} // namespace terra_identity
