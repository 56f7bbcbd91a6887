// What differs between the PostgreSQL versions that are supported: the only file of src that asks for the version.
#pragma once

#include "pg/server.h"

extern "C" {
#include "access/heapam.h"
#include "access/tableam.h"
#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_relation.h"
#include "parser/parsetree.h"
#include "utils/inval.h"
}

namespace terra_identity::pg {

// 16: the callback of expression_tree_walker has a prototype.
inline bool walk_expressions(::Node* node, bool (*callback)(::Node*, void*), void* context) {
#if PG_VERSION_NUM >= 160000
    return expression_tree_walker(node, callback, context);
#else
    return expression_tree_walker(node, reinterpret_cast<bool (*)()>(reinterpret_cast<void*>(callback)), context);
#endif
}

// 16: an update tells which indexes need an entry of the new row.
inline void update_in_heap(Relation table, ItemPointer old, HeapTuple row) {
#if PG_VERSION_NUM >= 160000
    TU_UpdateIndexes unused;
    simple_heap_update(table, old, row, &unused);
#else
    simple_heap_update(table, old, row);
#endif
}

// 16: an update may ask for entries of summarizing indexes alone. 19: what is asked for is a set of flags.
inline List* insert_into_indexes(ResultRelInfo* target, EState* executor, TupleTableSlot* row, bool updated,
                                 bool* conflict) {
    const bool tells = conflict != nullptr;
#if PG_VERSION_NUM >= 190000
    const uint32 flags = (updated ? EIIT_IS_UPDATE : 0) | (tells ? EIIT_NO_DUPE_ERROR : 0);
    return ExecInsertIndexTuples(target, executor, flags, row, NIL, conflict);
#elif PG_VERSION_NUM >= 160000
    return ExecInsertIndexTuples(target, row, executor, updated, tells, conflict, NIL, false);
#else
    return ExecInsertIndexTuples(target, row, executor, updated, tells, conflict, NIL);
#endif
}

// 16: the role whose privileges a query needs on a relation is apart from the relation. InvalidOid: the caller.
inline Oid role_to_check(const ::Query& query, Index relation) {
    RangeTblEntry* const entry = rt_fetch(relation, query.rtable);
#if PG_VERSION_NUM >= 160000
    return entry->perminfoindex == 0 ? InvalidOid : getRTEPermissionInfo(query.rteperminfos, entry)->checkAsUser;
#else
    return entry->checkAsUser;
#endif
}

// 17: LockHeldByMe may be asked for a stronger mode too.
inline bool holds_lock(const LOCKTAG& tag, LOCKMODE mode) {
#if PG_VERSION_NUM >= 170000
    return LockHeldByMe(&tag, mode, false);
#else
    return LockHeldByMe(&tag, mode);
#endif
}

// 18: an index scan may be instrumented. 19: scans have options.
inline IndexScanDesc begin_index_scan(Relation table, Relation index, Snapshot snapshot, int keys) {
#if PG_VERSION_NUM >= 190000
    return index_beginscan(table, index, snapshot, nullptr, keys, 0, SO_NONE);
#elif PG_VERSION_NUM >= 180000
    return index_beginscan(table, index, snapshot, nullptr, keys, 0);
#else
    return index_beginscan(table, index, snapshot, keys, 0);
#endif
}

inline TableScanDesc begin_table_scan(Relation table, Snapshot snapshot) {
#if PG_VERSION_NUM >= 190000
    return table_beginscan(table, snapshot, 0, nullptr, SO_NONE);
#else
    return table_beginscan(table, snapshot, 0, nullptr);
#endif
}

// 18: generated columns may be virtual.
inline bool has_generated_columns(const TupleConstr& constraints) {
#if PG_VERSION_NUM >= 180000
    if (constraints.has_generated_virtual)
        return true;
#endif
    return constraints.has_generated_stored;
}

// 19: the caches of the catalogs are an enumeration.
#if PG_VERSION_NUM >= 190000
using CatalogCache = SysCacheIdentifier;
#else
using CatalogCache = int;
#endif

} // namespace terra_identity::pg
