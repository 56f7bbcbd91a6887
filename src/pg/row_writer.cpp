#include "pg/row_writer.h"

#include "pg/extension.h"
#include "pg/row_versions.h"
#include "pg/versions.h"

#include <algorithm>
#include <array>
#include <utility>

extern "C" {
#include "catalog/pg_am.h"
#include "nodes/execnodes.h"
}

namespace terra_identity::pg {

struct PreparedIndex {
    Oid oid;
    ExprState* condition; ///< null: all rows are in it
};

/// A table made ready for the executor's functions. It lies in the executor's memory.
struct PreparedTable {
    Oid oid;
    bool plain;
    TupleDesc columns; ///< a copy: a resource owner is slow to count thousands of slots that refer to the table's own
    EState* executor;
    ResultRelInfo* target;
    PreparedIndex* indexes; ///< of a plain table
};

namespace {

/// Plain tables that nobody is writing, until the catalogs say that they have changed: to open and describe all indexes
/// of a table and to compile their conditions would cost more than to write a row. A writer takes a table out, so that
/// an abort leaves nothing half open here, and the writer of a function that is called meanwhile gets one of its own.
constinit std::array<PreparedTable*, 4> prepared_tables{};

/// How often any table has changed.
std::uint64_t changes = 0;

/// Rows that are written together, each in a slot of its own, where it is taken apart once for all indexes.
struct Slots {
    TupleTableSlot** items;
    std::size_t count;
};

/// A row, and about where it belongs in an index: equal places may lie apart, others are in order.
struct Entry {
    std::uint64_t place;
    TupleTableSlot* row;
};

bool is_plain(const ResultRelInfo* target) {
    const Relation relation = target->ri_RelationDesc;
    const TupleConstr* const constraints = RelationGetDescr(relation)->constr;
    bool plain = relation->rd_rel->relkind == RELKIND_RELATION && !relation->rd_rel->relispartition &&
                 relation->rd_rel->relam == HEAP_TABLE_AM_OID && relation->trigdesc == nullptr &&
                 !(constraints != nullptr && has_generated_columns(*constraints));
    // Other kinds of indexes keep what they have opened in IndexInfo until the statement ends.
    for (int i = 0; i < target->ri_NumIndices; ++i)
        plain = plain && target->ri_IndexRelationDescs[i]->rd_rel->relam == BTREE_AM_OID;
    return plain;
}

} // namespace

namespace raising {
namespace {

PreparedTable* prepare(Relation relation) {
    EState* const executor = CreateExecutorState();
    const MemoryContext outer = MemoryContextSwitchTo(executor->es_query_cxt);
    ResultRelInfo* const target = makeNode(ResultRelInfo);
    InitResultRelInfo(target, relation, 0, nullptr, 0);
    ExecOpenIndices(target, false);
    executor->es_opened_result_relations = lappend(executor->es_opened_result_relations, target);
    const auto count = static_cast<std::size_t>(target->ri_NumIndices);
    auto* const indexes = static_cast<PreparedIndex*>(palloc(sizeof(PreparedIndex) * (count + 1)));
    const bool plain = is_plain(target);
    for (std::size_t i = 0; plain && i < count; ++i) {
        List*& condition = target->ri_IndexRelationInfo[i]->ii_Predicate;
        indexes[i] = {RelationGetRelid(target->ri_IndexRelationDescs[i]), ExecPrepareQual(condition, executor)};
        condition = NIL; // `insert_entries` asks for it, before it opens the index
    }
    auto* const prepared = static_cast<PreparedTable*>(palloc(sizeof(PreparedTable)));
    *prepared = {
        RelationGetRelid(relation), plain, CreateTupleDescCopy(RelationGetDescr(relation)), executor, target, indexes};
    MemoryContextSwitchTo(outer);
    return prepared;
}

PreparedTable* take_out(Relation relation) {
    for (PreparedTable*& place : prepared_tables)
        if (place != nullptr && place->oid == RelationGetRelid(relation)) {
            PreparedTable* const taken = std::exchange(place, nullptr);
            MemoryContextSetParent(taken->executor->es_query_cxt, CurrentMemoryContext); // which an abort deletes
            taken->target->ri_RelationDesc = relation;
            return taken;
        }
    return prepare(relation);
}

/// The locks of its indexes stay until the end of the transaction, whose next statement needs them again.
void close_indexes(const PreparedTable* prepared) {
    for (int i = 0; i < prepared->target->ri_NumIndices; ++i)
        if (Relation& index = prepared->target->ri_IndexRelationDescs[i]; index != nullptr)
            index_close(std::exchange(index, nullptr), NoLock);
}

/// @return whether there was room for it
bool put_back(PreparedTable* prepared) {
    if (std::any_of(prepared_tables.begin(), prepared_tables.end(),
                    [=](const PreparedTable* other) { return other != nullptr && other->oid == prepared->oid; }))
        return false; // a writer that was called by this one's has put its own back
    PreparedTable** const place = std::find(prepared_tables.begin(), prepared_tables.end(), nullptr);
    if (place == prepared_tables.end())
        return false;
    MemoryContextSetParent(prepared->executor->es_query_cxt, CacheMemoryContext);
    *place = prepared;
    return true;
}

std::uint64_t place_of(TupleTableSlot* row, AttrNumber column) {
    bool is_null = true;
    const Datum value = slot_getattr(row, column, &is_null);
    if (is_null)
        return UINT64_MAX;
    if (TupleDescAttr(row->tts_tupleDescriptor, column - 1)->attlen > 0)
        return static_cast<std::uint64_t>(value);
    const auto* const text = reinterpret_cast<const struct varlena*>(DatumGetPointer(value));
    std::uint64_t prefix = 0;
    const std::size_t size = VARSIZE_ANY_EXHDR(text);
    for (std::size_t byte = 0; byte < sizeof prefix; ++byte)
        prefix = prefix << 8 | (byte < size ? static_cast<unsigned char>(VARDATA_ANY(text)[byte]) : 0);
    return prefix;
}

/// Sorts by the first of the index's columns that tells the rows apart.
void sort(Entry* begin, Entry* end, Relation index) {
    const auto is_before = [](const Entry& a, const Entry& b) { return a.place < b.place; };
    for (int key = 0; key < index->rd_index->indnkeyatts && begin->place == (end - 1)->place; ++key) {
        const AttrNumber column = index->rd_index->indkey.values[key];
        if (column <= 0 || end - begin == 1) // an expression; nothing to sort
            return;
        for (Entry* entry = begin; entry != end; ++entry)
            entry->place = place_of(entry->row, column);
        if (!std::is_sorted(begin, end, is_before))
            std::sort(begin, end, is_before);
    }
}

/// Index by index, each about in its order: rows with random keys would miss the caches at every step otherwise.
/// @param updated most keys are those of an older version, which the index may want to clear away first
/// @param conflict set if a row is not unique, or may not be; null: that is an error
void insert_entries(const PreparedTable* prepared, const Slots& rows, bool updated, bool* conflict = nullptr) {
    EState* const executor = prepared->executor;
    ExprContext* const evaluation = GetPerTupleExprContext(executor);
    auto* const entries = static_cast<Entry*>(palloc(sizeof(Entry) * (rows.count + 1)));
    for (int i = 0; i < prepared->target->ri_NumIndices; ++i) {
        Entry* end = entries;
        for (std::size_t row = 0; row < rows.count; ++row) {
            evaluation->ecxt_scantuple = rows.items[row];
            if (ExecQual(prepared->indexes[i].condition, evaluation))
                *end++ = {0, rows.items[row]};
            ResetExprContext(evaluation);
        }
        if (end == entries)
            continue;
        ResultRelInfo one_index = *prepared->target;
        one_index.ri_NumIndices = 1;
        one_index.ri_IndexRelationDescs += i;
        one_index.ri_IndexRelationInfo += i;
        Relation& index = *one_index.ri_IndexRelationDescs;
        if (index == nullptr)
            index = index_open(prepared->indexes[i].oid, RowExclusiveLock);
        sort(entries, end, index);
        for (const Entry* entry = entries; entry != end; ++entry) {
            CHECK_FOR_INTERRUPTS();
            list_free(insert_into_indexes(&one_index, executor, entry->row, updated, conflict));
            ResetExprContext(evaluation);
        }
    }
    pfree(entries);
}

/// Puts a row into a slot and checks its constraints.
void check(const PreparedTable* prepared, HeapTuple row, TupleTableSlot* slot) {
    ExecStoreHeapTuple(row, slot, false);
    slot->tts_tableOid = RelationGetRelid(prepared->target->ri_RelationDesc); // which a constraint may ask for
    ExecConstraints(prepared->target, slot, prepared->executor);
    ResetPerTupleExprContext(prepared->executor);
}

} // namespace
} // namespace raising

namespace {

/// More rows than these are written in parts, for the sake of memory.
constexpr std::size_t at_once = 10'000;

/// Calls write for each part of the rows, with as many slots.
template <class Row, class F>
void in_parts(const PreparedTable* prepared, const std::vector<Row>& rows, const F& write) {
    for (std::size_t done = 0; done < rows.size(); done += at_once)
        call([&, part = std::span(rows).subspan(done, std::min(at_once, rows.size() - done))] {
            const Slots slots{static_cast<TupleTableSlot**>(palloc(sizeof(TupleTableSlot*) * part.size())),
                              part.size()};
            for (std::size_t i = 0; i < slots.count; ++i)
                slots.items[i] = MakeSingleTupleTableSlot(prepared->columns, &TTSOpsHeapTuple);
            write(part, slots);
            for (std::size_t i = 0; i < slots.count; ++i)
                ExecDropSingleTupleTableSlot(slots.items[i]);
            pfree(slots.items);
        });
}

} // namespace

void forget_table(Oid changed) {
    const auto has_index = [](const PreparedTable* table, Oid oid) {
        return std::any_of(table->indexes, table->indexes + (table->plain ? table->target->ri_NumIndices : 0),
                           [oid](const PreparedIndex& index) { return index.oid == oid; });
    };
    ++changes;
    for (PreparedTable*& table : prepared_tables)
        if (table != nullptr && (changed == InvalidOid || changed == table->oid || has_index(table, changed)))
            FreeExecutorState(std::exchange(table, nullptr)->executor);
}

RowWriter::RowWriter(const Table& table) : table_(table), changes_(changes) {
    call([this] {
        PreventCommandIfReadOnly(psprintf("a change of %s's state", extension));
        prepared_ = raising::take_out(table_.relation());
        prepared_->executor->es_output_cid = GetCurrentCommandId(true);
        if (!is_plain()) {
            PushActiveSnapshot(raising::snapshot_of(Reads::latest));
            AfterTriggerBeginQuery();
        }
    });
}

bool RowWriter::is_plain() const { return prepared_->plain; }

void RowWriter::insert(const std::vector<HeapTuple>& rows) {
    in_parts(prepared_, rows, [this](std::span<const HeapTuple> part, const Slots& slots) {
        if (is_plain()) {
            for (std::size_t i = 0; i < part.size(); ++i) {
                CHECK_FOR_INTERRUPTS();
                raising::check(prepared_, part[i], slots.items[i]);
            }
            heap_multi_insert(table_.relation(), slots.items, static_cast<int>(slots.count), GetCurrentCommandId(true),
                              0, nullptr);
            raising::insert_entries(prepared_, slots, false);
            return;
        }
        for (const HeapTuple row : part) {
            CHECK_FOR_INTERRUPTS();
            ExecStoreHeapTuple(row, slots.items[0], false);
            ExecSimpleRelationInsert(prepared_->target, prepared_->executor, slots.items[0]);
            ResetPerTupleExprContext(prepared_->executor);
        }
    });
}

/// As the executor inserts speculatively (nodeModifyTable.c): two who insert the same at once must not both give way.
bool RowWriter::insert_unless_there(HeapTuple row) {
    return call([this, row] {
        if (slot_ == nullptr)
            slot_ = MakeSingleTupleTableSlot(prepared_->columns, &TTSOpsHeapTuple);
        raising::check(prepared_, row, slot_);
        bool conflict = false;
        const TransactionId transaction = GetCurrentTransactionId();
        const std::uint32_t token = SpeculativeInsertionLockAcquire(transaction);
        table_tuple_insert_speculative(table_.relation(), slot_, GetCurrentCommandId(true), 0, nullptr, token);
        raising::insert_entries(prepared_, {&slot_, 1}, false, &conflict);
        table_tuple_complete_speculative(table_.relation(), slot_, token, !conflict);
        SpeculativeInsertionLockRelease(transaction);
        return !conflict;
    });
}

void RowWriter::update(const std::vector<Update>& updates) {
    in_parts(prepared_, updates, [this](std::span<const Update> part, const Slots& slots) {
        const Relation relation = table_.relation();
        CheckCmdReplicaIdentity(relation, CMD_UPDATE);
        std::size_t moved = 0;
        for (std::size_t i = 0; i < part.size(); ++i) {
            CHECK_FOR_INTERRUPTS();
            auto [old, row] = part[i];
            raising::refuse_what_transaction_cannot_see(relation, old);
            TupleTableSlot* const slot = slots.items[i];
            if (is_plain()) {
                raising::check(prepared_, row, slot);
                update_in_heap(relation, &old, row);
                slot->tts_tid = row->t_self;
                if (!HeapTupleIsHeapOnly(row)) // else the entries of its older version lead to it
                    std::swap(slots.items[moved++], slots.items[i]);
                continue;
            }
            raising::lock_newest(relation,
                                 old); // else the executor would look for it by the query's plan: there is none
            row->t_self = old;         // where it stays, if a trigger skips it
            ExecStoreHeapTuple(row, slot, false);
            TupleTableSlot* const version = MakeSingleTupleTableSlot(prepared_->columns, &TTSOpsVirtual);
            version->tts_tid = old; // all that is asked of it
            EPQState unused{};
            ExecSimpleRelationUpdate(prepared_->target, prepared_->executor, &unused, version, slot);
            row->t_self = slot->tts_tid;
            ResetPerTupleExprContext(prepared_->executor);
            ExecDropSingleTupleTableSlot(version);
        }
        raising::insert_entries(prepared_, {slots.items, moved}, true);
    });
}

void RowWriter::remove(const std::vector<ItemPointerData>& places) {
    call([&] {
        TupleTableSlot* const version = MakeSingleTupleTableSlot(prepared_->columns, &TTSOpsVirtual);
        for (const ItemPointerData& place : places) {
            version->tts_tid = place; // all that is asked of it
            EPQState unused{};
            ExecSimpleRelationDelete(prepared_->target, prepared_->executor, &unused, version);
            ResetPerTupleExprContext(prepared_->executor);
        }
        ExecDropSingleTupleTableSlot(version);
    });
}

void RowWriter::finish() {
    call([this] {
        EState* const executor = prepared_->executor;
        if (slot_ != nullptr)
            ExecDropSingleTupleTableSlot(std::exchange(slot_, nullptr));
        if (is_plain()) {
            raising::close_indexes(prepared_);
        } else {
            AfterTriggerEndQuery(executor);
            ExecResetTupleTable(executor->es_tupleTable, false);
            PopActiveSnapshot();
            ExecCloseIndices(prepared_->target);
        }
        if (!is_plain() || changes != changes_ || !raising::put_back(prepared_))
            FreeExecutorState(executor);
        CommandCounterIncrement();
    });
}

} // namespace terra_identity::pg
