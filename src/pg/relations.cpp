#include "pg/relations.h"

#include "pg/connection_row.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <utility>

extern "C" {
#include "access/heapam.h"
#include "access/tableam.h"
}

namespace terra_identity::pg {

namespace {

struct KnownRelation {
    const char* name;
    Oid oid; ///< InvalidOid: to be looked up again
};

/// OIDs by name, until the catalogs say that the relation has changed. There are more places than names in the code.
constinit std::array<KnownRelation, 32> known_relations{};

KnownRelation& known_relation(const char* name) {
    for (KnownRelation& known : known_relations) {
        if (known.name == nullptr)
            known = {name, InvalidOid};
        if (std::strcmp(known.name, name) == 0)
            return known;
    }
    throw Error{internal, "too many relations"};
}

} // namespace

void forget_relation(Oid changed) {
    for (KnownRelation& known : known_relations)
        if (changed == InvalidOid || known.oid == changed)
            known.oid = InvalidOid;
}

Oid relation_named(const char* name) {
    KnownRelation& known = known_relation(name);
    if (!OidIsValid(known.oid))
        known.oid = call([name] {
            const Oid schema = get_namespace_oid("terra_identity", false);
            const Oid relation = get_relname_relid(name, schema);
            if (!OidIsValid(relation))
                ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                                errmsg("relation \"terra_identity.%s\" does not exist", name)));
            return relation;
        });
    return known.oid;
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

Oid owner_of_tables() {
    Table environments("environments", AccessShareLock);
    const Oid owner = environments.owner();
    environments.close();
    return owner;
}

std::vector<HeapTuple> find_connections(const Table& connections, const std::string& dev_id,
                                        const std::vector<std::string>& user_ids, Reads reads) {
    const Oid primary_key = call([&] {
#if PG_VERSION_NUM >= 180000
        return RelationGetPrimaryKeyIndex(connections.relation(), false);
#else
        return RelationGetPrimaryKeyIndex(connections.relation());
#endif
    });
    // In the order of the index: neighbours in it lie on the same pages.
    std::vector<std::string_view> sorted(user_ids.begin(), user_ids.end());
    std::sort(sorted.begin(), sorted.end());
    std::vector<IndexKeys> wanted;
    wanted.reserve(sorted.size());
    for (const std::string_view user_id : sorted)
        wanted.push_back(std::move(IndexKeys().equals(dev_id).equals(user_id)));
    const IndexScan scan{.table = connections.relation(), .index = primary_key, .reads = reads, .limit = 1};
    return scan.fetch(wanted);
}

} // namespace terra_identity::pg
