// Lineages: the connected components of connections that are linked by a reauth that is no transfer, by a slot that
// they share under one reference_id, or by a correction.
#pragma once

#include "core/everything.h"
#include "core/neighbourhood.h"

#include <cstdint>
#include <map>

namespace terra_identity {

/// Sets `now.lineage_id` of all connections.
void derive_lineages(Everything& everything);

/// Sets `now.lineage_id` of the loaded nodes. @return old to new lineage_id, for each lineage whose members, loaded or
/// not, now belong to another one
std::map<std::int64_t, std::int64_t> derive_lineages(Neighbourhood& neighbourhood);

} // namespace terra_identity
