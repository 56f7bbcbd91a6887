#include "pg/row_versions.h"

extern "C" {
#include "access/tableam.h"
#include "executor/executor.h"
}

namespace terra_identity::pg {

namespace raising {
namespace {

/// The version of a row at a place, in a slot of its own.
TupleTableSlot* version_at(Relation relation, ItemPointerData place) {
    TupleTableSlot* const version = table_slot_create(relation, nullptr);
    if (!table_tuple_fetch_row_version(relation, &place, SnapshotAny, version))
        elog(ERROR, "a row that was read is gone");
    return version;
}

/// Locks the newest version of the row at a place and puts it into the slot.
void lock_last_version(Relation relation, ItemPointerData place, TupleTableSlot* newest) {
    TM_FailureData failure;
    if (table_tuple_lock(relation, &place, GetActiveSnapshot(), newest, GetCurrentCommandId(true),
                         LockTupleNoKeyExclusive, LockWaitBlock, TUPLE_LOCK_FLAG_FIND_LAST_VERSION, &failure) != TM_Ok)
        elog(ERROR, "a row that is to be updated is gone");
}

} // namespace

/// As the executor does it.
void refuse_what_transaction_cannot_see(Relation relation, TupleTableSlot* version) {
    if (IsolationUsesXactSnapshot() && !table_tuple_satisfies_snapshot(relation, version, GetTransactionSnapshot()))
        ereport(ERROR,
                (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                 errmsg("could not serialize access due to concurrent update"), errhint("Try the transaction again.")));
}

void refuse_what_transaction_cannot_see(Relation relation, const ItemPointerData& place) {
    if (!IsolationUsesXactSnapshot())
        return;
    TupleTableSlot* const version = version_at(relation, place);
    refuse_what_transaction_cannot_see(relation, version);
    ExecDropSingleTupleTableSlot(version);
}

void lock_newest(Relation relation, ItemPointerData& place) {
    TupleTableSlot* const version = version_at(relation, place);
    const HeapTupleHeader header = ExecFetchSlotHeapTuple(version, false, nullptr)->t_data;
    if ((header->t_infomask & HEAP_XMAX_INVALID) == 0 && !HEAP_XMAX_IS_LOCKED_ONLY(header->t_infomask) &&
        TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetUpdateXid(header)))
        ereport(ERROR, (errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
                        errmsg("a row of table \"%s\" that is being written was already changed by a trigger",
                               RelationGetRelationName(relation)),
                        errhint("A trigger on this table must not insert events.")));
    lock_last_version(relation, place, version);
    place = version->tts_tid;
    ExecDropSingleTupleTableSlot(version);
}

} // namespace raising

void refuse_unseen(const Table& table, const std::vector<HeapTuple>& rows) {
    call([&] {
        CommandCounterIncrement(); // what the transaction wrote itself, it sees
        for (const HeapTuple row : rows)
            raising::refuse_what_transaction_cannot_see(table.relation(), row->t_self);
    });
}

std::vector<HeapTuple> lock_newest(const Table& table, const std::vector<HeapTuple>& rows) {
    std::vector<HeapTuple> newest;
    newest.reserve(rows.size());
    for (const HeapTuple row : rows)
        newest.push_back(call([&table, row] {
            CHECK_FOR_INTERRUPTS();
            TupleTableSlot* const slot = table_slot_create(table.relation(), nullptr);
            raising::lock_last_version(table.relation(), row->t_self, slot);
            const HeapTuple locked = ExecCopySlotHeapTuple(slot);
            ExecDropSingleTupleTableSlot(slot);
            return locked;
        }));
    return newest;
}

} // namespace terra_identity::pg
