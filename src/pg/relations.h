// The extension's own tables and indexes, by name.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pg/index_scan.h"

namespace terra_identity::pg {

/// Forgets the OID of a changed relation, of all if InvalidOid.
void forget_relation(Oid changed);

/// The OID of a relation of schema terra_identity. An error if there is none.
Oid relation_named(const char* name);

/// The next value of an identity column's sequence.
std::int64_t next_value(const char* sequence);

/// One of the extension's tables, open. It is closed by `close`, or by the abort that a thrown error leads to; its
/// lock stays until the end of the transaction.
class Table {
public:
    /// @param mode ROW EXCLUSIVE for writers, ACCESS SHARE for readers
    Table(const char* name, LOCKMODE mode);

    Relation relation() const { return relation_; }
    Oid owner() const { return relation_->rd_rel->relowner; }
    TupleDesc columns() const { return RelationGetDescr(relation_); }

    /// All rows, in no order. For small tables.
    std::vector<HeapTuple> all(Reads reads) const;

    void close();

private:
    Relation relation_;
};

/// The role that owns the extension's tables, and what is done in its name.
Oid owner_of_tables();

/// The rows of those of the connections that there are, in the order of their user_ids, through the primary key.
std::vector<HeapTuple> find_connections(const Table& connections, const std::string& dev_id,
                                        const std::vector<std::string>& user_ids, Reads reads);

} // namespace terra_identity::pg
