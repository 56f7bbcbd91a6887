// How often a statement calls a function.
#pragma once

namespace terra_identity::pg {

/// Whether the statement that the client sent may call a function for several rows, as `SELECT ingest(body) FROM
/// staged` does: its plan has a node that can return more than one row. Of what a function or a DO block does nobody
/// knows: false.
bool is_called_for_rows();

} // namespace terra_identity::pg
