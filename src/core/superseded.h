// Superseded: a connection is, when a newer live connection shares one of its slots; the oldest of the newer ones is
// its successor. With that every status is known.
#pragma once

#include "core/everything.h"
#include "core/neighbourhood.h"

namespace terra_identity {

/// Sets status, successor and end of all.
void derive_statuses(Everything& everything);

/// Sets status, successor and end of the touched nodes and of their neighbours in the slots that they leave or enter.
void derive_statuses(Neighbourhood& neighbourhood);

} // namespace terra_identity
