// Fold: the facts and reauths that the events of one environment's ledger add up to.
#pragma once

#include "core/nodes.h"

#include <span>

namespace terra_identity {

struct Fold {
    Nodes nodes; ///< with facts and reauths; their state is not derived

    void add(const Event& event) { add(std::span(&event, 1)); }
    void add(std::span<const Event> events);
};

} // namespace terra_identity
