// The extension's own tables, found in the schema of the table whose trigger fires, or by name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "pg/guard.h"

namespace terra_identity::pg {

/// Table `connections`, open and locked until the end of the transaction.
class ConnectionsTable {
public:
    /// @param mode ROW EXCLUSIVE for writers, ACCESS SHARE for readers
    explicit ConnectionsTable(LOCKMODE mode);

    Oid owner() const { return relation_->rd_rel->relowner; }
    TupleDesc columns() const { return RelationGetDescr(relation_); }
    Oid row_array_type() const { return row_array_type_; }

    /// The row of a connection by direct look-up, or null. What the statement sees, or what is committed.
    HeapTuple find(const std::string& dev_id, const std::string& user_id) const;

    /// Closes it; the lock stays.
    void close();

private:
    Relation relation_;
    Oid row_array_type_;
};

/// The OID of a relation of schema terra_identity. An error if there is none.
Oid relation_named(const char* name);

/// The next value of an identity column's sequence.
std::int64_t next_value(const char* sequence);

} // namespace terra_identity::pg
