// Lineages: the connected components of reauths that are no transfers, and of slots shared under one reference_id.
#pragma once

#include "core/everything.h"
#include "core/neighbourhood.h"

#include <cstdint>
#include <map>

namespace terra_identity {

/// Sets `now.lineage_id` of all.
void derive_lineages(Everything& everything);

/// Sets `now.lineage_id` of the loaded nodes. @return old to new lineage_id of the lineages whose members, loaded or
/// not, move to another
std::map<std::int64_t, std::int64_t> derive_lineages(Neighbourhood& neighbourhood);

} // namespace terra_identity
