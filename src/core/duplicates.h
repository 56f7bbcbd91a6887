// Duplicates: active connections of different end users on one provider account. Each of them has the flag
// `Connection::duplicate`, and a partial index holds only these: the cost of reading duplicates depends on their number
// alone.
#pragma once

#include "core/everything.h"
#include "core/neighbourhood.h"

namespace terra_identity {

/// Sets `now.duplicate` of all connections. Their statuses must be derived before.
void derive_duplicates(Everything& everything);

/// Sets `now.duplicate` of the connections on each account whose active connections changed.
void derive_duplicates(Neighbourhood& neighbourhood);

} // namespace terra_identity
