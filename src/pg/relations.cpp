#include "pg/relations.h"

#include "pg/connection_row.h"
#include "pg/datum.h"

namespace terra_identity::pg {

Oid relation_named(const char* name) {
    return call([name] {
        const Oid schema = get_namespace_oid("terra_identity", false);
        const Oid relation = get_relname_relid(name, schema);
        if (!OidIsValid(relation))
            ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("relation \"terra_identity.%s\" does not exist", name)));
        return relation;
    });
}

ConnectionsTable::ConnectionsTable(LOCKMODE mode) {
    const Oid oid = relation_named("connections");
    relation_ = call([=] { return table_open(oid, mode); });
    row_array_type_ = call([this] { return get_array_type(relation_->rd_rel->reltype); });
}

HeapTuple ConnectionsTable::find(const std::string& dev_id, const std::string& user_id) const {
    const Datum keys[] = {text_of(dev_id), text_of(user_id)};
    return call([&] {
        ScanKeyData scan_keys[2];
        ScanKeyInit(&scan_keys[0], col_dev_id, BTEqualStrategyNumber, F_TEXTEQ, keys[0]);
        ScanKeyInit(&scan_keys[1], col_user_id, BTEqualStrategyNumber, F_TEXTEQ, keys[1]);
        const Oid index = RelationGetPrimaryKeyIndex(relation_
#if PG_VERSION_NUM >= 180000
                                                     ,
                                                     false
#endif
        );
        const SysScanDesc scan = systable_beginscan(relation_, index, true, GetActiveSnapshot(), 2, scan_keys);
        HeapTuple row = systable_getnext(scan);
        if (HeapTupleIsValid(row))
            row = heap_copytuple(row);
        systable_endscan(scan);
        return row;
    });
}

void ConnectionsTable::close() {
    call([this] { table_close(relation_, NoLock); });
}

std::int64_t next_value(const char* sequence) {
    const Oid oid = relation_named(sequence);
    return call([oid] { return DatumGetInt64(DirectFunctionCall1(nextval_oid, ObjectIdGetDatum(oid))); });
}

} // namespace terra_identity::pg
