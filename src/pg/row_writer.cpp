#include "pg/row_writer.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <utility>

#include "pg/versions.h"

extern "C" {
#include "access/heapam.h"
#include "access/tableam.h"
#include "catalog/index.h"
#include "catalog/pg_am.h"
#include "executor/executor.h"
#include "nodes/execnodes.h"
#include "optimizer/optimizer.h"
}

namespace terra_identity::pg {

struct PlainIndex {
    Oid oid;
    IndexInfo* info;
    ExprState* condition; ///< null: all rows are in it
    Relation opened;      ///< while a writer has used it
};

/// What has to be known of a table to write it directly. It is kept until the catalogs say that the table has changed;
/// opening every index for every row and compiling conditions and checks would cost more than writing.
struct PlainTable {
    Oid oid;
    bool current;
    bool plain;
    MemoryContext context;
    ExprContext* evaluation;
    int index_count;
    PlainIndex* indexes;
    int check_count;
    ExprState** checks;
};

namespace {

/// There are more places than tables that the extension writes.
constinit std::array<PlainTable, 5> plain_tables{};

bool is_plain(Relation relation) {
    const TupleConstr* const constraints = RelationGetDescr(relation)->constr;
    return relation->rd_rel->relkind == RELKIND_RELATION && !relation->rd_rel->relispartition &&
           relation->rd_rel->relam == HEAP_TABLE_AM_OID && relation->trigdesc == nullptr &&
           !(constraints != nullptr && has_generated_columns(*constraints));
}

bool is_plain(const IndexInfo* info, Relation index) {
    return index->rd_rel->relam == BTREE_AM_OID && index->rd_index->indimmediate && info->ii_Expressions == nullptr &&
           info->ii_ExclusionOps == nullptr;
}

// What follows runs within `call`.

void describe_indexes(PlainTable& table, Relation relation) {
    List* const oids = RelationGetIndexList(relation);
    table.indexes = static_cast<PlainIndex*>(palloc0(sizeof(PlainIndex) * (list_length(oids) + 1)));
    ListCell* cell;
    foreach (cell, oids) {
        const Relation index = index_open(lfirst_oid(cell), AccessShareLock);
        IndexInfo* const info = BuildIndexInfo(index);
        table.plain = table.plain && is_plain(info, index);
        if (info->ii_ReadyForInserts) {
            ExprState* const condition =
                info->ii_Predicate == nullptr ? nullptr : ExecInitQual(info->ii_Predicate, nullptr);
            table.indexes[table.index_count++] = {lfirst_oid(cell), info, condition, nullptr};
        }
        index_close(index, AccessShareLock);
    }
    list_free(oids);
}

void describe_checks(PlainTable& table, Relation relation) {
    const TupleConstr* const constraints = RelationGetDescr(relation)->constr;
    table.check_count = constraints == nullptr ? 0 : constraints->num_check;
    table.checks = static_cast<ExprState**>(palloc(sizeof(ExprState*) * (table.check_count + 1)));
    for (int i = 0; i < table.check_count; ++i) {
        if (!is_enforced(constraints->check[i])) {
            table.checks[i] = nullptr; // which counts as met
            continue;
        }
        Expr* const check = static_cast<Expr*>(stringToNode(constraints->check[i].ccbin));
        table.checks[i] = ExecInitExpr(expression_planner(check), nullptr);
    }
}

PlainTable& place_of(Oid oid) {
    for (PlainTable& table : plain_tables)
        if (table.oid == oid)
            return table;
    for (PlainTable& table : plain_tables)
        if (!table.current)
            return table;
    elog(ERROR, "too many tables are written");
}

/// The table that is being described, and whether it has changed meanwhile: every index that is opened takes in what
/// has.
struct Describing {
    Oid oid;
    bool changed;
};

constinit Describing describing{};

PlainTable* plain_table(Relation relation) {
    PlainTable& place = place_of(RelationGetRelid(relation));
    if (place.current)
        return &place;
    if (place.context != nullptr)
        MemoryContextDelete(place.context);
    place = {};
    PlainTable table{};
    table.oid = RelationGetRelid(relation);
    describing = {table.oid, false};
    table.plain = is_plain(relation);
    table.context = AllocSetContextCreate(CurrentMemoryContext, "terra_identity: indexes", ALLOCSET_SMALL_SIZES);
    const MemoryContext outer = MemoryContextSwitchTo(table.context);
    table.evaluation = CreateStandaloneExprContext();
    describe_indexes(table, relation);
    describe_checks(table, relation);
    MemoryContextSwitchTo(outer);
    MemoryContextSetParent(table.context, CacheMemoryContext);
    table.current = !describing.changed; // else it is good for this time, under the lock of the table
    place = table;
    return &place;
}

void check_row(PlainTable& table, Relation relation, TupleTableSlot* slot) {
    const TupleDesc columns = RelationGetDescr(relation);
    for (int i = 0; i < columns->natts; ++i)
        if (TupleDescAttr(columns, i)->attnotnull && slot_attisnull(slot, i + 1))
            ereport(ERROR, (errcode(ERRCODE_NOT_NULL_VIOLATION),
                            errmsg("null value in column \"%s\" of relation \"%s\" violates not-null constraint",
                                   NameStr(TupleDescAttr(columns, i)->attname), RelationGetRelationName(relation)),
                            errtablecol(relation, i + 1)));
    for (int i = 0; i < table.check_count; ++i)
        if (!ExecCheck(table.checks[i], table.evaluation))
            ereport(ERROR, (errcode(ERRCODE_CHECK_VIOLATION),
                            errmsg("new row for relation \"%s\" violates check constraint \"%s\"",
                                   RelationGetRelationName(relation), columns->constr->check[i].ccname),
                            errtableconstraint(relation, columns->constr->check[i].ccname)));
}

/// An entry for an index, of a row that is being written.
struct Entry {
    std::uint64_t place; ///< about where in the index: equal places may lie apart, others are in order
    HeapTuple row;
    Datum* values;
    bool* nulls;
};

/// The entries for one index.
struct Entries {
    Entry* items;
    Datum* values;
    bool* nulls;
    std::size_t count;
};

int compare_places(const void* a, const void* b, void*) {
    const std::uint64_t one = static_cast<const Entry*>(a)->place, other = static_cast<const Entry*>(b)->place;
    return one < other ? -1 : one > other ? 1 : 0;
}

/// The first key column but dev_id, which is the same for all rows that are written together.
std::uint64_t place_of(const Datum* values, const bool* nulls, Relation index) {
    const TupleDesc keys = RelationGetDescr(index);
    for (int i = 0; i < keys->natts; ++i) {
        if (strcmp(NameStr(TupleDescAttr(keys, i)->attname), "dev_id") == 0)
            continue;
        if (nulls[i])
            return UINT64_MAX;
        if (TupleDescAttr(keys, i)->attlen > 0)
            return static_cast<std::uint64_t>(values[i]);
        const auto* const text = reinterpret_cast<const struct varlena*>(DatumGetPointer(values[i]));
        std::uint64_t prefix = 0;
        const std::size_t size = VARSIZE_ANY_EXHDR(text);
        for (std::size_t byte = 0; byte < sizeof prefix; ++byte)
            prefix = prefix << 8 | (byte < size ? static_cast<unsigned char>(VARDATA_ANY(text)[byte]) : 0);
        return prefix;
    }
    return 0;
}

Entries* room_for_entries(const PlainTable& table, std::size_t rows) {
    std::size_t size = 0;
    const auto bytes_for = [rows](const PlainIndex& index) {
        return rows * (sizeof(Entry) + static_cast<std::size_t>(index.info->ii_NumIndexAttrs) * (sizeof(Datum) + 1));
    };
    for (int i = 0; i < table.index_count; ++i)
        size += sizeof(Entries) + MAXALIGN(bytes_for(table.indexes[i]));
    auto* const entries = static_cast<Entries*>(palloc_extended(size + 1, MCXT_ALLOC_HUGE));
    char* room = reinterpret_cast<char*>(entries + table.index_count);
    for (int i = 0; i < table.index_count; ++i) {
        const std::size_t values = rows * static_cast<std::size_t>(table.indexes[i].info->ii_NumIndexAttrs);
        auto* const items = reinterpret_cast<Entry*>(room);
        auto* const datums = reinterpret_cast<Datum*>(items + rows);
        entries[i] = {items, datums, reinterpret_cast<bool*>(datums + values), 0};
        room += MAXALIGN(bytes_for(table.indexes[i]));
    }
    return entries;
}

/// Looks at a row once: its constraints, and its entries for all indexes.
void check_and_describe(PlainTable& table, Relation relation, TupleTableSlot* slot, HeapTuple row, Entries* entries) {
    ExecStoreHeapTuple(row, slot, false);
    table.evaluation->ecxt_scantuple = slot;
    check_row(table, relation, slot);
    for (int i = 0; i < table.index_count; ++i) {
        PlainIndex& index = table.indexes[i];
        if (index.condition != nullptr && !ExecQual(index.condition, table.evaluation))
            continue;
        if (index.opened == nullptr)
            index.opened = index_open(index.oid, RowExclusiveLock);
        Entries& its = entries[i];
        const std::size_t first = its.count * static_cast<std::size_t>(index.info->ii_NumIndexAttrs);
        Entry& entry = its.items[its.count++];
        entry = {0, row, its.values + first, its.nulls + first};
        FormIndexDatum(index.info, slot, nullptr, entry.values, entry.nulls);
        entry.place = place_of(entry.values, entry.nulls, index.opened);
    }
    ResetExprContext(table.evaluation);
}

/// Index by index, each about in its order: rows with random keys would miss the caches at every step otherwise.
/// @param updated most keys are those of an older version, which the index may want to clear away first
void insert_entries(const PlainTable& table, Relation relation, const Entries* entries, bool updated) {
    for (int i = 0; i < table.index_count; ++i) {
        const PlainIndex& index = table.indexes[i];
        qsort_arg(entries[i].items, entries[i].count, sizeof(Entry), compare_places, nullptr);
        for (std::size_t e = 0; e < entries[i].count; ++e) {
            CHECK_FOR_INTERRUPTS();
            const Entry& entry = entries[i].items[e];
            if (!HeapTupleIsHeapOnly(entry.row)) // the entries of its older version lead to it
                index_insert(index.opened, entry.values, entry.nulls, &entry.row->t_self, relation,
                             index.info->ii_Unique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO, updated, index.info);
        }
    }
}

/// Rows that are written together.
struct Rows {
    HeapTuple* items;
    std::size_t count;
};

void insert_into_heap(Relation relation, const Rows& rows) {
    if (rows.count == 1) {
        simple_heap_insert(relation, rows.items[0]);
        return;
    }
    constexpr std::size_t at_once = 100;
    std::array<TupleTableSlot*, at_once> slots;
    const std::size_t slot_count = Min(at_once, rows.count);
    for (std::size_t i = 0; i < slot_count; ++i)
        slots[i] = MakeSingleTupleTableSlot(RelationGetDescr(relation), &TTSOpsHeapTuple);
    for (std::size_t done = 0; done < rows.count; done += slot_count) {
        const std::size_t count = Min(slot_count, rows.count - done);
        for (std::size_t i = 0; i < count; ++i)
            ExecStoreHeapTuple(rows.items[done + i], slots[i], false);
        heap_multi_insert(relation, slots.data(), static_cast<int>(count), GetCurrentCommandId(true), 0, nullptr);
        for (std::size_t i = 0; i < count; ++i)
            rows.items[done + i]->t_self = slots[i]->tts_tid;
    }
    for (std::size_t i = 0; i < slot_count; ++i)
        ExecDropSingleTupleTableSlot(slots[i]);
}

} // namespace

void forget_table(Oid changed) {
    const auto is_meant = [changed](Oid oid) { return changed == InvalidOid || oid == changed; };
    for (PlainTable& table : plain_tables)
        if (is_meant(table.oid))
            table.current = false;
    describing.changed = describing.changed || is_meant(describing.oid);
}

void refuse_unseen(const Table& table, const std::vector<HeapTuple>& rows) {
    call([&] {
        CommandCounterIncrement(); // what the transaction wrote itself, it sees
        TupleTableSlot* const version = table_slot_create(table.relation(), nullptr);
        for (const HeapTuple row : rows) {
            if (!table_tuple_fetch_row_version(table.relation(), &row->t_self, SnapshotAny, version))
                elog(ERROR, "a row that was read is gone");
            refuse_what_transaction_cannot_see(table.relation(), version);
        }
        ExecDropSingleTupleTableSlot(version);
    });
}

std::vector<HeapTuple> lock_newest(const Table& table, const std::vector<HeapTuple>& rows) {
    std::vector<HeapTuple> newest;
    newest.reserve(rows.size());
    for (const HeapTuple row : rows)
        newest.push_back(call([&table, row] {
            CHECK_FOR_INTERRUPTS();
            TupleTableSlot* const slot = table_slot_create(table.relation(), nullptr);
            TM_FailureData failure;
            if (table_tuple_lock(table.relation(), &row->t_self, GetActiveSnapshot(), slot, GetCurrentCommandId(true),
                                 LockTupleNoKeyExclusive, LockWaitBlock, TUPLE_LOCK_FLAG_FIND_LAST_VERSION,
                                 &failure) != TM_Ok)
                elog(ERROR, "a connection is gone that is to be updated");
            const HeapTuple locked = ExecCopySlotHeapTuple(slot);
            ExecDropSingleTupleTableSlot(slot);
            return locked;
        }));
    return newest;
}

RowWriter::RowWriter(const Table& table) : table_(table) {
    call([this] {
        PreventCommandIfReadOnly("a change of terra_identity's state");
        plain_ = plain_table(table_.relation());
        is_plain_ = plain_->plain;
        slot_ = MakeSingleTupleTableSlot(table_.columns(), &TTSOpsHeapTuple);
        if (is_plain_) {
            for (int i = 0; i < plain_->index_count; ++i)
                plain_->indexes[i].opened = nullptr; // an abort has closed what it left open
            return;
        }
        // The executor's own insertion and update of single rows, as logical replication uses them.
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

void RowWriter::insert(const std::vector<HeapTuple>& rows) {
    call([&] {
        const Relation relation = table_.relation();
        if (is_plain_) {
            Entries* const entries = room_for_entries(*plain_, rows.size());
            for (const HeapTuple row : rows)
                check_and_describe(*plain_, relation, slot_, row, entries);
            insert_into_heap(relation, {const_cast<HeapTuple*>(rows.data()), rows.size()});
            insert_entries(*plain_, relation, entries, false);
        } else {
            for (const HeapTuple row : rows) {
                ExecStoreHeapTuple(row, slot_, false);
                ExecSimpleRelationInsert(target_, executor_, slot_);
                ResetPerTupleExprContext(executor_);
            }
        }
        ExecClearTuple(slot_);
    });
}

/// As the executor inserts speculatively (nodeModifyTable.c): two who insert the same at once must not both give way.
bool RowWriter::insert_unless_there(HeapTuple row) {
    return call([this, row] {
        const Relation relation = table_.relation();
        Entries* const entries = room_for_entries(*plain_, 1);
        check_and_describe(*plain_, relation, slot_, row, entries);
        const TransactionId transaction = GetCurrentTransactionId();
        HeapTupleHeaderSetSpeculativeToken(row->t_data, SpeculativeInsertionLockAcquire(transaction));
        heap_insert(relation, row, GetCurrentCommandId(true), HEAP_INSERT_SPECULATIVE, nullptr);
        bool is_new = true;
        for (int i = 0; i < plain_->index_count; ++i) {
            const PlainIndex& index = plain_->indexes[i];
            for (std::size_t e = 0; e < entries[i].count; ++e) {
                const Entry& entry = entries[i].items[e];
                const IndexUniqueCheck check = index.info->ii_Unique ? UNIQUE_CHECK_PARTIAL : UNIQUE_CHECK_NO;
                const bool is_unique = index_insert(index.opened, entry.values, entry.nulls, &row->t_self, relation,
                                                    check, false, index.info);
                is_new = is_new && (is_unique || !index.info->ii_Unique);
            }
        }
        is_new ? heap_finish_speculative(relation, &row->t_self) : heap_abort_speculative(relation, &row->t_self);
        SpeculativeInsertionLockRelease(transaction);
        ExecClearTuple(slot_);
        return is_new;
    });
}

void RowWriter::update(const std::vector<Update>& updates) {
    call([&] {
        const Relation relation = table_.relation();
        Entries* const entries = is_plain_ ? room_for_entries(*plain_, updates.size()) : nullptr;
        TupleTableSlot* const version = table_slot_create(relation, nullptr);
        if (is_plain_)
            CheckCmdReplicaIdentity(relation, CMD_UPDATE);
        for (const auto& [old, row] : updates) {
            CHECK_FOR_INTERRUPTS();
            if (!table_tuple_fetch_row_version(relation, &old->t_self, SnapshotAny, version))
                elog(ERROR, "a row that was read is gone");
            refuse_what_transaction_cannot_see(relation, version);
            if (is_plain_) {
                check_and_describe(*plain_, relation, slot_, row, entries);
                update_in_heap(relation, &old->t_self, row);
            } else {
                ExecStoreHeapTuple(row, slot_, false);
                EPQState unused{};
                ExecSimpleRelationUpdate(target_, executor_, &unused, version, slot_);
                ResetPerTupleExprContext(executor_);
            }
        }
        if (is_plain_)
            insert_entries(*plain_, relation, entries, true);
        ExecClearTuple(slot_);
        ExecDropSingleTupleTableSlot(version);
    });
}

void RowWriter::remove(std::vector<ItemPointerData> places) {
    call([&] {
        TupleTableSlot* const version = table_slot_create(table_.relation(), nullptr);
        for (ItemPointerData& place : places) {
            if (is_plain_) {
                simple_heap_delete(table_.relation(), &place);
                continue;
            }
            if (!table_tuple_fetch_row_version(table_.relation(), &place, SnapshotAny, version))
                elog(ERROR, "a row that is to be removed is gone");
            EPQState unused{};
            ExecSimpleRelationDelete(target_, executor_, &unused, version);
            ResetPerTupleExprContext(executor_);
        }
        ExecDropSingleTupleTableSlot(version);
    });
}

void RowWriter::finish() {
    call([this] {
        if (is_plain_) {
            for (int i = 0; i < plain_->index_count; ++i)
                if (plain_->indexes[i].opened != nullptr)
                    index_close(std::exchange(plain_->indexes[i].opened, nullptr), NoLock);
        } else {
            AfterTriggerEndQuery(executor_);
            ExecResetTupleTable(executor_->es_tupleTable, false);
            PopActiveSnapshot();
            ExecCloseIndices(target_);
            FreeExecutorState(executor_);
        }
        ExecDropSingleTupleTableSlot(slot_);
        CommandCounterIncrement();
    });
}

} // namespace terra_identity::pg
