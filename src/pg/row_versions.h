// Versions of rows: what a transaction can see of them, and the newest.
#pragma once

#include "pg/relations.h"

#include <vector>

namespace terra_identity::pg {

namespace raising {

/// At REPEATABLE READ and above, raises 40001 for a version of a row that the transaction cannot see.
void refuse_what_transaction_cannot_see(Relation relation, TupleTableSlot* version);
void refuse_what_transaction_cannot_see(Relation relation, const ItemPointerData& place);

} // namespace raising

/// At REPEATABLE READ and above, raises 40001 if the transaction cannot see one of the rows, which were just read and
/// are locked: what it had to say of them may be said already, and then it would not see it.
void refuse_unseen(const Table& table, const std::vector<HeapTuple>& rows);

/// The newest versions of rows, locked for the transaction, for what the owner may have written into columns of his own
/// since they were read. In the same order; an error if one is gone.
std::vector<HeapTuple> lock_newest(const Table& table, const std::vector<HeapTuple>& rows);

} // namespace terra_identity::pg
