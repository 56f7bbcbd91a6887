#include "pg/index_scan.h"

#include <utility>

#include "pg/relations.h"
#include "pg/row_versions.h"
#include "pg/versions.h"

extern "C" {
#include "access/tableam.h"
#include "catalog/pg_opfamily.h"
#include "storage/lmgr.h"
}

namespace terra_identity::pg {
namespace {

/// Rows that a guarded call gathers: nothing that a jump could leak.
struct Rows {
    HeapTuple* items = nullptr;
    std::size_t count = 0;
    std::size_t capacity = 0;

    void add(HeapTuple row) {
        if (count == capacity) {
            capacity = capacity == 0 ? 4 : capacity * 2;
            const std::size_t size = capacity * sizeof(HeapTuple);
            items = static_cast<HeapTuple*>(items == nullptr ? palloc(size) : repalloc_huge(items, size));
        }
        items[count++] = row;
    }
};

} // namespace

namespace raising {

Snapshot snapshot_of(Reads reads) {
    if (reads == Reads::statement)
        return GetActiveSnapshot();
    CommandCounterIncrement();
    return GetLatestSnapshot();
}

bool has_text(const void* column, HeapTuple row, TupleDesc columns) {
    const auto& wanted = *static_cast<const TextColumn*>(column);
    bool is_null;
    const text* const found = DatumGetTextPP(heap_getattr(row, wanted.number, columns, &is_null));
    return wanted.text == std::string_view(VARDATA_ANY(found), VARSIZE_ANY_EXHDR(found));
}

} // namespace raising

IndexKeys& IndexKeys::equals(Datum value, RegProcedure equality) {
    const AttrNumber column = next_column();
    ScanKeyInit(&keys_.emplace_back(), column, BTEqualStrategyNumber, equality, value);
    return *this;
}

IndexKeys& IndexKeys::equals(std::string_view text) { return equals(text_of(text), F_TEXTEQ); }

IndexKeys& IndexKeys::equals(std::int64_t number) { return equals(Int64GetDatum(number), F_INT8EQ); }

IndexKeys& IndexKeys::equals(bool flag) { return equals(BoolGetDatum(flag), F_BOOLEQ); }

IndexKeys& IndexKeys::equals_bytes(std::string_view bytes) { return equals(text_of(bytes), F_BYTEAEQ); }

IndexKeys& IndexKeys::greater_than(const std::string& text) {
    const AttrNumber column = next_column();
    ScanKeyInit(&keys_.emplace_back(), column, BTGreaterStrategyNumber, F_TEXT_GT, text_of(text));
    return *this;
}

IndexKeys& IndexKeys::greater_than(std::int64_t number) {
    const AttrNumber column = next_column();
    ScanKeyInit(&keys_.emplace_back(), column, BTGreaterStrategyNumber, F_INT8GT, Int64GetDatum(number));
    return *this;
}

IndexKeys& IndexKeys::equals(const std::optional<std::string>& text) {
    if (text)
        return equals(*text);
    const AttrNumber column = next_column();
    ScanKeyEntryInitialize(&keys_.emplace_back(), SK_ISNULL | SK_SEARCHNULL, column, InvalidStrategy, InvalidOid,
                           InvalidOid, InvalidOid, 0);
    return *this;
}

/// A row comparison, as the executor builds it (nodeIndexscan.c): a header that points to its members.
IndexKeys& IndexKeys::beyond(std::initializer_list<RowMember> row, StrategyNumber strategy) {
    const AttrNumber first = next_column();
    const std::size_t count = row.size();
    auto* const members = call([=] { return static_cast<ScanKeyData*>(palloc0(count * sizeof(ScanKeyData))); });
    for (std::size_t i = 0; i < count; ++i) {
        const auto& [value, comparison] = row.begin()[i];
        ScanKeyEntryInitialize(&members[i], i + 1 < count ? SK_ROW_MEMBER : SK_ROW_MEMBER | SK_ROW_END,
                               static_cast<AttrNumber>(first + static_cast<AttrNumber>(i)), strategy, InvalidOid,
                               InvalidOid, comparison, value);
    }
    ScanKeyData& header = keys_.emplace_back();
    header = {};
    header.sk_flags = SK_ROW_HEADER;
    header.sk_attno = first;
    header.sk_strategy = strategy;
    header.sk_argument = PointerGetDatum(members);
    return *this;
}

void IndexKeys::compare_as(Relation index) {
    const auto set = [index](ScanKey key) {
        const auto column = static_cast<std::size_t>(key->sk_attno - 1);
        key->sk_collation = index->rd_indcollation[column];
        if (key->sk_func.fn_oid == F_TEXT_GT && index->rd_opfamily[column] == TEXT_PATTERN_BTREE_FAM_OID)
            fmgr_info(F_TEXT_PATTERN_GT, &key->sk_func);
    };
    for (ScanKeyData& key : keys_) {
        if ((key.sk_flags & SK_ROW_HEADER) == 0) {
            set(&key);
            continue;
        }
        for (auto* member = reinterpret_cast<ScanKey>(DatumGetPointer(key.sk_argument));; ++member) {
            set(member);
            if ((member->sk_flags & SK_ROW_END) != 0)
                break;
        }
    }
}

std::vector<HeapTuple> IndexScan::fetch(std::vector<IndexKeys> wanted) const {
    if (wanted.empty())
        return {};
    const Rows rows = call([&] {
        Rows found;
        const bool is_mvcc = reads != Reads::anything;
        const Snapshot snapshot = is_mvcc ? RegisterSnapshot(raising::snapshot_of(reads)) : SnapshotAny;
        const Relation opened = raising::open_index(index);
        const int key_count = wanted.front().count();
        const IndexScanDesc scan = begin_index_scan(table, opened, snapshot, key_count);
        TupleTableSlot* const slot = table_slot_create(table, nullptr);
        const ScanDirection direction = backward ? BackwardScanDirection : ForwardScanDirection;
        for (IndexKeys& keys : wanted) {
            CHECK_FOR_INTERRUPTS();
            keys.compare_as(opened);
            index_rescan(scan, keys.keys(), key_count, nullptr, 0);
            std::size_t count = 0;
            while (count < limit && index_getnext_slot(scan, direction, slot)) {
                CHECK_FOR_INTERRUPTS();
                const HeapTuple row = ExecCopySlotHeapTuple(slot);
                if (filter == nullptr || filter(filter_state, row, RelationGetDescr(table))) {
                    found.add(row);
                    ++count;
                } else {
                    heap_freetuple(row);
                }
            }
        }
        ExecDropSingleTupleTableSlot(slot);
        index_endscan(scan);
        index_close(opened, AccessShareLock);
        if (is_mvcc)
            UnregisterSnapshot(snapshot);
        return found;
    });
    return {rows.items, rows.items + rows.count};
}

std::vector<HeapTuple> IndexScan::fetch(IndexKeys keys) const { return fetch(std::vector{std::move(keys)}); }

/// As the executor looks for what is in conflict with a new row (execIndexing.c).
HeapTuple find_or_wait(Relation table, const char* index, IndexKeys keys) {
    return call([&] {
        const Relation opened = raising::open_index(index);
        const int key_count = keys.count();
        keys.compare_as(opened);
        TupleTableSlot* const slot = table_slot_create(table, nullptr);
        HeapTuple row = nullptr;
        while (true) {
            CHECK_FOR_INTERRUPTS();
            SnapshotData dirty;
            InitDirtySnapshot(dirty);
            const IndexScanDesc scan = begin_index_scan(table, opened, &dirty, key_count);
            index_rescan(scan, keys.keys(), key_count, nullptr, 0);
            const bool found = index_getnext_slot(scan, ForwardScanDirection, slot);
            const TransactionId other = !found                             ? InvalidTransactionId
                                        : TransactionIdIsValid(dirty.xmin) ? dirty.xmin
                                                                           : dirty.xmax;
            ItemPointerData place = slot->tts_tid;
            if (found && !TransactionIdIsValid(other)) {
                raising::refuse_what_transaction_cannot_see(table, slot);
                row = ExecCopySlotHeapTuple(slot);
            }
            ExecClearTuple(slot);
            index_endscan(scan);
            if (!TransactionIdIsValid(other))
                break;
            if (TransactionIdIsValid(dirty.xmin) && dirty.speculativeToken != 0)
                SpeculativeInsertionWait(dirty.xmin, dirty.speculativeToken);
            else
                XactLockTableWait(other, table, &place, XLTW_InsertIndex);
        }
        ExecDropSingleTupleTableSlot(slot);
        index_close(opened, AccessShareLock);
        return row;
    });
}

} // namespace terra_identity::pg
