// Rows written with all indexes and constraints of the table, without a query.
#pragma once

#include "pg/relations.h"

#include <cstdint>
#include <vector>

namespace terra_identity::pg {

/// Forgets what is known of a changed table, of all if InvalidOid.
void forget_table(Oid changed);

/// Writes to one table. Constraints are checked and entries of indexes made by the executor's own functions. A plain
/// table differs in what comes around them: its indexes are known from one statement to the next, and many rows go into
/// one index after another. One that somebody gave triggers, generated columns or indexes other than B-trees is written
/// row by row. Rows stay the caller's.
class RowWriter {
public:
    explicit RowWriter(const Table& table);

    /// Whether the table is a plain one.
    bool is_plain() const;

    void insert(const std::vector<HeapTuple>& rows);

    /// Inserts a row unless a unique index has one like it, or may have: of one that somebody is about to insert nobody
    /// knows. As `ON CONFLICT DO NOTHING`, which waits for that. For plain tables. @return whether it did
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
    std::uint64_t changes_; ///< of all tables, before this one was looked at
    struct PreparedTable* prepared_;
};

} // namespace terra_identity::pg
