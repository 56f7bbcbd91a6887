#include "pg/relations.h"

#include "pg/extension.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "pg/versions.h"

extern "C" {
#include "access/heapam.h"
#include "access/tableam.h"
#include "executor/executor.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/acl.h"
#include "utils/datum.h"
#include "utils/inval.h"
#include "utils/rls.h"
}

namespace terra_identity::pg {

namespace {

struct KnownRelation {
    const char* name;
    Oid oid; ///< InvalidOid: to be looked up again
};

/// OIDs by name, until the catalogs say that the relation has changed. There are more places than names in the code.
constinit std::array<KnownRelation, 64> known_relations{};

} // namespace

namespace raising {
namespace {

KnownRelation& known_relation(const char* name) {
    for (KnownRelation& known : known_relations) {
        if (known.name == nullptr)
            known = {name, InvalidOid};
        if (std::strcmp(known.name, name) == 0)
            return known;
    }
    elog(ERROR, "too many relations");
}

Oid look_up(KnownRelation& known) {
    if (!OidIsValid(known.oid)) {
        const Oid oid_of_schema = get_namespace_oid(schema, false);
        known.oid = get_relname_relid(known.name, oid_of_schema);
        if (!OidIsValid(known.oid))
            ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                            errmsg("relation \"%s.%s\" does not exist", schema, known.name)));
    }
    return known.oid;
}

/// The value that a new row has in a column that nobody gave one, as the table's owner computes it, who added it.
Datum default_of(Relation relation, AttrNumber column, bool* is_null) {
    const MemoryContext caller = CurrentMemoryContext;
    const MemoryContext evaluation = AllocSetContextCreate(caller, "default of a column", ALLOCSET_SMALL_SIZES);
    MemoryContextSwitchTo(evaluation);
    Oid user = InvalidOid;
    int security_context = 0;
    GetUserIdAndSecContext(&user, &security_context);
    SetUserIdAndSecContext(relation->rd_rel->relowner, security_context | SECURITY_LOCAL_USERID_CHANGE);
    Datum value = 0;
    *is_null = true;
    if (Node* const expression = build_column_default(relation, column); expression != nullptr) {
        ExprContext* const context = CreateStandaloneExprContext();
        Expr* const planned = expression_planner(static_cast<Expr*>(static_cast<void*>(expression)));
        value = ExecEvalExprSwitchContext(ExecInitExpr(planned, nullptr), context, is_null);
        MemoryContextSwitchTo(caller);
        const Form_pg_attribute type = TupleDescAttr(RelationGetDescr(relation), column - 1);
        if (!*is_null)
            value = datumCopy(value, type->attbyval, type->attlen);
        FreeExprContext(context, true);
    }
    MemoryContextSwitchTo(caller);
    SetUserIdAndSecContext(user, security_context);
    MemoryContextDelete(evaluation);
    return value;
}

} // namespace

Relation open_index(const char* name) {
    KnownRelation& known = known_relation(name);
    for (bool is_fresh = !OidIsValid(known.oid);; is_fresh = true) {
        const Oid oid = look_up(known);
        const Relation index = try_relation_open(oid, AccessShareLock);
        if (index != nullptr && known.oid == oid && index->rd_index->indisvalid)
            return index;
        if (index != nullptr)
            relation_close(index, AccessShareLock);
        if (index != nullptr && known.oid == oid && is_fresh) // an unfinished CREATE INDEX CONCURRENTLY
            ereport(ERROR,
                    (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                     errmsg("index \"%s\" of extension %s is not valid", name, extension), errhint("Reindex it.")));
        known.oid = InvalidOid;
        AcceptInvalidationMessages();
    }
}

} // namespace raising

void forget_relation(Oid changed) {
    for (KnownRelation& known : known_relations)
        if (changed == InvalidOid || known.oid == changed)
            known.oid = InvalidOid;
}

namespace {

/// @return its OID; InvalidOid if others have it locked, or it is being replaced
Oid try_lock_relation(const char* name, LOCKMODE mode) {
    return call([=] {
        KnownRelation& known = raising::known_relation(name);
        const Oid oid = raising::look_up(known);
        if (!ConditionalLockRelationOid(oid, mode))
            return InvalidOid;
        if (known.oid == oid)
            return oid;
        UnlockRelationOid(oid, mode);
        return InvalidOid;
    });
}

} // namespace

Oid lock_relation(const char* name, LOCKMODE mode) {
    return call([=] {
        KnownRelation& known = raising::known_relation(name);
        while (true) {
            const Oid oid = raising::look_up(known);
            LockRelationOid(oid, mode); // takes in what has changed
            if (known.oid == oid)
                return oid;
            UnlockRelationOid(oid, mode);
        }
    });
}

void lock_relations_together(std::initializer_list<const char*> names, LOCKMODE mode) {
    const char* const* awaited = names.begin();
    while (true) {
        std::vector<Oid> locked{lock_relation(*awaited, mode)};
        const char* const* const busy = std::find_if(names.begin(), names.end(), [&](const char* const& name) {
            if (&name == awaited)
                return false;
            const Oid oid = try_lock_relation(name, mode);
            if (OidIsValid(oid))
                locked.push_back(oid);
            return !OidIsValid(oid);
        });
        if (busy == names.end())
            return;
        for (const Oid oid : locked)
            call([=] { UnlockRelationOid(oid, mode); });
        awaited = busy;
    }
}

void wait_for_writers(const char* name) {
    const Oid relation = lock_relation(name, AccessShareLock);
    call([relation] {
        LOCKTAG tag;
        SET_LOCKTAG_RELATION(tag, MyDatabaseId, relation);
        WaitForLockers(tag, ShareLock, false);
    });
}

Table::Table(const char* name, LOCKMODE mode) {
    const Oid oid = lock_relation(name, mode);
    relation_ = call([=] { return table_open(oid, NoLock); });
}

HeapTuple Table::form_row(std::span<const NullableValue> values, HeapTuple present) const {
    return call([&] {
        const auto columns = static_cast<std::size_t>(this->columns()->natts);
        if (columns < values.size())
            ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
                            errmsg("columns of table %s.%s are missing", schema, RelationGetRelationName(relation_)),
                            errhint("Run ALTER EXTENSION %s UPDATE.", extension)));
        auto* const datums = static_cast<Datum*>(palloc(columns * sizeof(Datum)));
        auto* const nulls = static_cast<bool*>(palloc(columns * sizeof(bool)));
        for (std::size_t i = 0; i < columns; ++i) {
            const auto column = static_cast<AttrNumber>(i + 1);
            const Form_pg_attribute described = TupleDescAttr(this->columns(), i);
            datums[i] = 0;
            nulls[i] = true;
            if (i < values.size()) {
                datums[i] = values[i].value;
                nulls[i] = values[i].is_null;
            } else if (described->attisdropped || described->attgenerated != '\0') {
                continue; // which the executor computes
            } else if (present != nullptr) {
                datums[i] = heap_getattr(present, column, this->columns(), &nulls[i]);
            } else {
                datums[i] = raising::default_of(relation_, column, &nulls[i]);
            }
        }
        const HeapTuple row = heap_form_tuple(this->columns(), datums, nulls);
        pfree(datums);
        pfree(nulls);
        return row;
    });
}

void Table::close() {
    call([this] { table_close(relation_, NoLock); });
}

std::vector<HeapTuple> Table::all(Reads reads) const {
    std::vector<HeapTuple> rows;
    const Snapshot snapshot = call([reads, oid = RelationGetRelid(relation_)] {
        return RegisterSnapshot(reads == Reads::committed ? GetCatalogSnapshot(oid) : raising::snapshot_of(reads));
    });
    const TableScanDesc scan = call([&] { return begin_table_scan(relation_, snapshot); });
    while (true) {
        const HeapTuple row = call([&]() -> HeapTuple {
            CHECK_FOR_INTERRUPTS();
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

} // namespace terra_identity::pg
