// Versions of rows: what a transaction can see of them, and the newest.
#pragma once

#include "pg/relations.h"

#include <vector>

namespace terra_identity::pg {

namespace raising {

/// At REPEATABLE READ and above, raises 40001 for a version of a row that the transaction cannot see.
void refuse_what_transaction_cannot_see(Relation relation, TupleTableSlot* version);
void refuse_what_transaction_cannot_see(Relation relation, const ItemPointerData& place);

/// Locks the newest version of a row, and sets the place to where that is. A row that the transaction has changed since
/// it was read was changed by a trigger: an error.
void lock_newest(Relation relation, ItemPointerData& place);

} // namespace raising

/// At REPEATABLE READ and above, raises 40001 if the transaction's snapshot does not show one of these rows, which were
/// just read and are locked: the transaction would change something that it cannot see.
void refuse_unseen(const Table& table, const std::vector<HeapTuple>& rows);

/// Locks the newest versions of rows and returns them in the same order: the owner may have updated columns of his own
/// since the rows were read. An error if one was deleted.
std::vector<HeapTuple> lock_newest(const Table& table, const std::vector<HeapTuple>& rows);

} // namespace terra_identity::pg
