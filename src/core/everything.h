// All connections of an environment with all reauths between them, and what follows from them. Nothing is asked of a
// store: this is how rebuild() and verify() derive, and an environment whose rules have changed.
#pragma once

#include "core/cycles.h"
#include "core/derived.h"
#include "core/fold.h"
#include "core/rules.h"
#include "core/sharers.h"

#include <cstdint>
#include <functional>
#include <vector>

namespace terra_identity {

/// What the steps of a derivation of everything work on.
struct Everything {
    Nodes& nodes;
    std::vector<Node*> predecessors_first; ///< the nodes that have links; the members of one cycle next to one another
    Cycles cycles;                         ///< all
    SharedSlots shared_slots;              ///< once the effective accounts are derived
};

/// Derives everything again from the facts that are stored.
/// @param reauths all that are stored
Derived derive_everything(const Rules& rules, std::vector<Connection> stored, const std::vector<Reauth>& reauths);

/// Derives everything from a ledger: what it does not name is no more.
/// @param stored,stored_reauths all that are stored, to compare with
/// @param new_connection_id gives a connection_id to a connection that is not stored
Derived derive_everything(const Rules& rules, Fold ledger, std::vector<Connection> stored,
                          const std::vector<Reauth>& stored_reauths,
                          const std::function<std::int64_t()>& new_connection_id);

} // namespace terra_identity
