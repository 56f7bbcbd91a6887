// The extension's own tables and indexes, by name.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "pg/index_scan.h"

namespace terra_identity::pg {

/// Forgets the OID of a changed relation, of all if InvalidOid.
void forget_relation(Oid changed);

/// The OID of a relation of the extension's schema, locked until the end of the transaction. An error if there is none.
/// It may be replaced or dropped at any time before the lock is granted: REINDEX CONCURRENTLY gives the name of an
/// index to another one.
Oid lock_relation(const char* name, LOCKMODE mode);

/// Locks relations of the extension's schema until the end of the transaction. While it waits for one of them, it has
/// locked none, so that no deadlock comes of their order.
void lock_relations_together(std::initializer_list<const char*> names, LOCKMODE mode);

/// Waits for all transactions that are writing to a relation of the extension's schema, and for its VACUUM. Nobody
/// waits for this one.
void wait_for_writers(const char* name);

namespace raising {

/// Opens an index of the extension's schema for reading; `index_close` with ACCESS SHARE closes it. An error if there
/// is none, or if rows may be missing in it.
Relation open_index(const char* name);

} // namespace raising

/// One of the extension's tables, open. It is closed by `close`, or by the abort that a thrown error leads to; its
/// lock stays until the end of the transaction.
class Table {
public:
    /// @param mode ROW EXCLUSIVE for writers, ACCESS SHARE for readers
    Table(const char* name, LOCKMODE mode);

    Relation relation() const { return relation_; }
    Oid owner() const { return relation_->rd_rel->relowner; }
    TupleDesc columns() const { return RelationGetDescr(relation_); }

    /// A row from the values of the columns that the extension knows, which are the first. Columns that the owner added
    /// keep what they have in the row's present version, if there is one, else get their default.
    HeapTuple form_row(std::span<const NullableValue> values, HeapTuple present = nullptr) const;

    /// All rows, in no order. For small tables.
    std::vector<HeapTuple> all(Reads reads) const;

    void close();

private:
    Relation relation_;
};

} // namespace terra_identity::pg
