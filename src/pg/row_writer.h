// RowWriter: writes rows to a table, with its indexes and constraints, without an SQL statement.
#pragma once

#include "pg/relations.h"

#include <cstdint>
#include <vector>

namespace terra_identity::pg {

/// Drops what is kept of a table that has changed; of all tables if InvalidOid.
void forget_table(Oid changed);

/// Writes to one table. The executor's own functions check constraints and make index entries. For a plain table the
/// opened state of the executor is kept from one statement to the next, and many rows are put into one index after the
/// other, which is faster. A table with triggers, generated columns, or indexes other than B-trees is not plain: it is
/// written row by row. Rows stay the caller's.
class RowWriter {
public:
    explicit RowWriter(const Table& table);

    /// Whether the table is a plain one.
    bool is_plain() const;

    void insert(const std::vector<HeapTuple>& rows);

    /// Inserts a row unless a unique index has an equal one, or will have it if a transaction in progress commits: the
    /// caller then looks again, as ON CONFLICT DO NOTHING does. For plain tables. @return whether it was inserted
    bool insert_unless_there(HeapTuple row);

    struct Update {
        ItemPointerData old; ///< where the row's present version is
        HeapTuple row;
    };

    /// Raises 40001 if the transaction cannot see one of the old rows. The new ones know where they are afterwards.
    void update(const std::vector<Update>& updates);

    /// Removes rows of the transaction's own.
    void remove(const std::vector<ItemPointerData>& places);

    /// Makes what was written visible to what follows. To be called once, last.
    void finish();

private:
    const Table& table_;
    TupleTableSlot* slot_ = nullptr; ///< of `insert_unless_there`
    std::uint64_t changes_;          ///< of all tables, before this one was looked at
    struct PreparedTable* prepared_;
};

} // namespace terra_identity::pg
