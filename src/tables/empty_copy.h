// A database in which the extension is there, but never gets a delivery: a worker of Citus, which creates the
// coordinator's extensions on its workers.
#pragma once

namespace terra_identity::tables {

/// An error (55000) where a function that reads the state was sent to a Citus worker whose connections are empty. There
/// it would find nothing, and the query that called it would lose rows without a word. To be called first by each such
/// function. In other sessions it compares one name.
void refuse_on_empty_copy();

} // namespace terra_identity::tables
