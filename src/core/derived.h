// What a derivation comes to: what the feed `changes` tells of, and what is to be written.
#pragma once

#include "core/keys.h"
#include "core/nodes.h"

#include <cstdint>
#include <map>
#include <set>
#include <vector>

namespace terra_identity {

struct Derived {
    Nodes nodes; ///< every connection that was looked at, as it is stored and as it is to be

    std::set<Reauth> new_reauths;      ///< to be stored
    std::set<Reauth> vanished_reauths; ///< stored, and no longer so
    std::vector<Connection> vanished;  ///< stored, and not in the ledger

    /// Old to new lineage_id, for the members that were not loaded.
    std::map<std::int64_t, std::int64_t> moved_lineages;

    /// What it relied on: valid only if all of it was held while it read. Of everything none: nobody else may write.
    Keys keys;
};

} // namespace terra_identity
