// Fold: everything that a ledger says about the connections of one environment.
#pragma once

#include "core/nodes.h"

#include <span>

namespace terra_identity {

struct Fold {
    Nodes nodes; ///< with facts and reauths; nothing is derived

    void add(const Event& event) { add(std::span(&event, 1)); }
    void add(std::span<const Event> events);
};

} // namespace terra_identity
