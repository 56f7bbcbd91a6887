#include "pg/relations.h"

#include "pg/connection_row.h"

extern "C" {
#include "access/heapam.h"
#include "access/tableam.h"
#include "executor/executor.h"
}

namespace terra_identity::pg {

Oid relation_named(const char* name) {
    return call([name] {
        const Oid schema = get_namespace_oid("terra_identity", false);
        const Oid relation = get_relname_relid(name, schema);
        if (!OidIsValid(relation))
            ereport(ERROR,
                    (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("relation \"terra_identity.%s\" does not exist", name)));
        return relation;
    });
}

std::int64_t next_value(const char* sequence) {
    const Oid oid = relation_named(sequence);
    // As the tables' owner would: who may insert events need not have a right to the sequences behind them.
    return call([oid] { return nextval_internal(oid, false); });
}

Table::Table(const char* name, LOCKMODE mode) {
    const Oid oid = relation_named(name);
    relation_ = call([=] { return table_open(oid, mode); });
}

void Table::close() {
    call([this] { table_close(relation_, NoLock); });
}

std::vector<HeapTuple> Table::all(Reads reads) const {
    std::vector<HeapTuple> rows;
    const Snapshot snapshot = call([reads] { return RegisterSnapshot(snapshot_of(reads)); });
    const TableScanDesc scan = call([&] { return table_beginscan(relation_, snapshot, 0, nullptr); });
    while (true) {
        const HeapTuple row = call([&]() -> HeapTuple {
            const HeapTuple found = heap_getnext(scan, ForwardScanDirection);
            return found == nullptr ? nullptr : heap_copytuple(found);
        });
        if (row == nullptr)
            break;
        rows.push_back(row);
    }
    call([&] {
        table_endscan(scan);
        UnregisterSnapshot(snapshot);
    });
    return rows;
}

HeapTuple find_connection(const Table& connections, const std::string& dev_id, const std::string& user_id,
                          Reads reads) {
    const Oid primary_key = call([&] {
#if PG_VERSION_NUM >= 180000
        return RelationGetPrimaryKeyIndex(connections.relation(), false);
#else
        return RelationGetPrimaryKeyIndex(connections.relation());
#endif
    });
    IndexScan scan{.table = connections.relation(), .index = primary_key, .reads = reads, .limit = 1};
    const std::vector<HeapTuple> rows = scan.fetch(IndexKeys().equals(dev_id).equals(user_id));
    return rows.empty() ? nullptr : rows.front();
}

// The executor's own insertion and update of single rows, as logical replication uses them.

RowWriter::RowWriter(const Table& table) : table_(table) {
    call([this] {
        PreventCommandIfReadOnly("a change of terra_identity's state");
        executor_ = CreateExecutorState();
        target_ = makeNode(ResultRelInfo);
        InitResultRelInfo(target_, table_.relation(), 0, nullptr, 0);
        ExecOpenIndices(target_, false);
        executor_->es_opened_result_relations = lappend(executor_->es_opened_result_relations, target_);
        executor_->es_output_cid = GetCurrentCommandId(true);
        PushActiveSnapshot(snapshot_of(Reads::latest));
        AfterTriggerBeginQuery();
    });
}

void RowWriter::insert(HeapTuple row) {
    call([&] {
        TupleTableSlot* const slot = MakeSingleTupleTableSlot(table_.columns(), &TTSOpsHeapTuple);
        ExecStoreHeapTuple(row, slot, false);
        ExecSimpleRelationInsert(target_, executor_, slot);
        ExecDropSingleTupleTableSlot(slot);
        ResetPerTupleExprContext(executor_);
    });
}

void RowWriter::update(HeapTuple old, HeapTuple row) {
    call([&] {
        const Relation relation = table_.relation();
        TupleTableSlot* const found = table_slot_create(relation, nullptr);
        TupleTableSlot* const slot = MakeSingleTupleTableSlot(table_.columns(), &TTSOpsHeapTuple);
        if (!table_tuple_fetch_row_version(relation, &old->t_self, SnapshotAny, found) ||
            (IsolationUsesXactSnapshot() && !table_tuple_satisfies_snapshot(relation, found, GetTransactionSnapshot())))
            ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                            errmsg("could not serialize access due to concurrent update"),
                            errhint("Try the transaction again.")));
        ExecStoreHeapTuple(row, slot, false);
        EPQState unused{};
        ExecSimpleRelationUpdate(target_, executor_, &unused, found, slot);
        ExecDropSingleTupleTableSlot(slot);
        ExecDropSingleTupleTableSlot(found);
        ResetPerTupleExprContext(executor_);
    });
}

void RowWriter::finish() {
    call([this] {
        AfterTriggerEndQuery(executor_);
        ExecResetTupleTable(executor_->es_tupleTable, false);
        PopActiveSnapshot();
        ExecCloseIndices(target_);
        FreeExecutorState(executor_);
        CommandCounterIncrement();
    });
}

} // namespace terra_identity::pg
