// How often a statement calls a function.
#pragma once

#include "pg/guard.h"

namespace terra_identity::pg {

/// Whether the statement that the client sent may call a function more than once: its plan has a node that can return
/// more than one row, as `SELECT ingest(body) FROM staged` has, or names the function twice. What a function or a DO
/// block runs cannot be known: then false.
bool may_be_called_again(Oid function);

} // namespace terra_identity::pg
