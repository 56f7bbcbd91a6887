#include "tables/ids.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "pg/query.h"
#include "pg/relations.h"
#include "pg/versions.h"
#include "tables/owner.h"

extern "C" {
#include "catalog/pg_class.h"
#include "catalog/pg_subscription_rel.h"
#include "utils/inval.h"
#include "utils/syscache.h"
}

namespace terra_identity::tables {

using namespace pg;

namespace {

/// The columns whose sequence this session has found to be ahead of all rows.
constinit std::array<const IdColumn*, 16> checked_columns{};

std::int64_t draw(const IdColumn& column) {
    const Oid sequence = lock_relation(column.sequence, RowExclusiveLock);
    return call([sequence] { return nextval_internal(sequence, false); });
}

/// Whether a subscription replicates rows into the table.
bool is_subscribed(const Table& table) {
    return call([&table] {
        const Relation catalog = table_open(SubscriptionRelRelationId, AccessShareLock);
        ScanKeyData key;
        ScanKeyInit(&key, Anum_pg_subscription_rel_srrelid, BTEqualStrategyNumber, F_OIDEQ,
                    ObjectIdGetDatum(RelationGetRelid(table.relation())));
        const SysScanDesc scan =
            systable_beginscan(catalog, SubscriptionRelSrrelidSrsubidIndexId, true, nullptr, 1, &key);
        const bool found = HeapTupleIsValid(systable_getnext(scan));
        systable_endscan(scan);
        table_close(catalog, AccessShareLock);
        return found;
    });
}

/// The greatest id that the mark of a column has; 0 if there is none.
std::int64_t marked_id(const IdMark& mark) {
    Table table(mark.table, AccessShareLock);
    const IndexScan all{.table = table.relation(), .index = mark.index, .reads = Reads::anything};
    std::int64_t greatest = 0;
    for (const HeapTuple row : all.fetch(IndexKeys()))
        greatest = std::max(greatest, DatumGetInt64(attribute(row, table.columns(), mark.number).value));
    table.close();
    return greatest;
}

/// The greatest id in the table. It looks into one environment after another, because the index begins with dev_id.
std::int64_t greatest_id(const IdColumn& column, const Table& table) {
    const IndexScan next{.table = table.relation(), .index = column.index, .reads = Reads::anything, .limit = 1};
    const IndexScan newest{
        .table = table.relation(), .index = column.index, .reads = Reads::anything, .backward = true, .limit = 1};
    std::int64_t greatest = column.mark == nullptr ? 0 : marked_id(*column.mark);
    std::string dev_id;
    while (true) {
        const std::vector<HeapTuple> first = next.fetch(IndexKeys().greater_than(dev_id));
        if (first.empty())
            break;
        dev_id = string_of(attribute(first.front(), table.columns(), column.dev_id).value);
        for (const HeapTuple last : newest.fetch(IndexKeys().equals(dev_id)))
            greatest = std::max(greatest, DatumGetInt64(attribute(last, table.columns(), column.number).value));
    }
    return greatest;
}

/// Moves the sequence beyond an id. It only ever moves forward, so that no id is given out twice: another session that
/// draws ids meanwhile skips them one by one.
void move_beyond(const IdColumn& column, std::int64_t id) {
    const Oid sequence = lock_relation(column.sequence, RowExclusiveLock);
    as_owner(owner_of_tables(), [=] {
        call([=] {
            LOCKTAG tag; // a lock on the sequence that only this code takes: one session at a time moves it
            SET_LOCKTAG_OBJECT(tag, MyDatabaseId, RelationRelationId, sequence, 1);
            LockAcquire(&tag, ExclusiveLock, false, false);
            if (nextval_internal(sequence, false) <= id)
                DirectFunctionCall2(setval_oid, ObjectIdGetDatum(sequence), Int64GetDatum(id));
            LockRelease(&tag, ExclusiveLock, false);
        });
    });
}

/// Whether the id is the last one that this session has drawn from the sequence.
bool is_drawn(const IdColumn& column, std::int64_t id) {
    const Oid sequence = lock_relation(column.sequence, RowExclusiveLock);
    std::int64_t last = 0;
    as_owner(owner_of_tables(), [&] {
        ErrorData* const error =
            attempt([&] { last = DatumGetInt64(DirectFunctionCall1(currval_oid, ObjectIdGetDatum(sequence))); });
        if (error != nullptr && error->sqlerrcode != ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE) // none is drawn yet
            throw ServerError{error};
    });
    return last == id;
}

/// Returns the id, or if the sequence is behind the rows of its table, a new one.
/// @param may_redraw whether the id came from the sequence; called only if the sequence seems to be behind
template <class F>
std::int64_t checked(const IdColumn& column, std::int64_t id, const F& may_redraw) {
    const auto place = std::find_if(checked_columns.begin(), checked_columns.end(),
                                    [&](const IdColumn* other) { return other == nullptr || other == &column; });
    if (*place == &column)
        return id;
    Table table(column.table, AccessShareLock);
    const bool subscribed = is_subscribed(table);
    if (const std::int64_t greatest = greatest_id(column, table); greatest >= id && may_redraw()) {
        move_beyond(column, greatest);
        id = draw(column);
    }
    table.close();
    if (!subscribed)
        *place = &column;
    return id;
}

void forget(Datum, CatalogCache, uint32) { checked_columns.fill(nullptr); }

} // namespace

void register_ids() { CacheRegisterSyscacheCallback(SUBSCRIPTIONRELMAP, forget, Datum{0}); }

std::int64_t checked_id(const IdColumn& column, std::int64_t id) {
    return checked(column, id, [&] { return is_drawn(column, id); });
}

std::int64_t next_id(const IdColumn& column) {
    lock_relation(column.table, RowExclusiveLock);
    return checked(column, draw(column), [] { return true; });
}

} // namespace terra_identity::tables
