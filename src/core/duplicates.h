// Duplicates: active connections of different end users on one provider account. Each of them says so itself
// (`Connection::duplicate`), and is in an index of those alone: so that asking for duplicates costs what there are.
#pragma once

#include "core/everything.h"
#include "core/neighbourhood.h"

namespace terra_identity {

/// Sets `now.duplicate` of all. For when their statuses are derived.
void derive_duplicates(Everything& everything);

/// Sets `now.duplicate` on the accounts whose active connections changed.
void derive_duplicates(Neighbourhood& neighbourhood);

} // namespace terra_identity
