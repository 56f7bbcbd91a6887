// Rows written with all indexes and constraints of the table, without a query.
#pragma once

#include "pg/relations.h"

#include <vector>

namespace terra_identity::pg {

/// Forgets what is known of a changed table, of all if InvalidOid.
void forget_table(Oid changed);

/// At REPEATABLE READ and above, raises 40001 if the transaction cannot see one of the rows, which were just read and
/// are locked: what it had to say of them may be said already, and then it would not see it.
void refuse_unseen(const Table& table, const std::vector<HeapTuple>& rows);

/// The newest versions of rows, locked for the transaction, for what the owner may have written into columns of his own
/// since they were read. In the same order; an error if one is gone.
std::vector<HeapTuple> lock_newest(const Table& table, const std::vector<HeapTuple>& rows);

/// Writes to one table. A table that somebody gave triggers or indexes of other kinds than plain B-trees is written by
/// the executor; the others directly, which costs a third of that.
class RowWriter {
public:
    explicit RowWriter(const Table& table);

    void insert(const std::vector<HeapTuple>& rows);

    /// Whether rows are written directly.
    bool is_plain() const { return is_plain_; }

    /// Inserts a row unless a unique index has one like it, or may have: of one that somebody is about to insert nobody
    /// knows. As `ON CONFLICT DO NOTHING`, which waits for that. For plain tables. @return whether it did
    bool insert_unless_there(HeapTuple row);

    struct Update {
        HeapTuple old; ///< the row's present version, as a look-up found it
        HeapTuple row;
    };

    /// Raises 40001 if the transaction cannot see one of the rows.
    void update(const std::vector<Update>& updates);

    /// Removes rows of the transaction's own.
    void remove(std::vector<ItemPointerData> places);

    /// Makes what was written visible to what follows. To be called once, last.
    void finish();

private:
    const Table& table_;
    struct PlainTable* plain_;
    bool is_plain_;
    TupleTableSlot* slot_;
    struct EState* executor_ = nullptr; ///< if the table is not plain
    struct ResultRelInfo* target_ = nullptr;
};

} // namespace terra_identity::pg
