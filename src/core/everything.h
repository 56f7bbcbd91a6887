// Derives the state of an environment from all its connections and all reauths between them, without a Store. Used by
// rebuild() and verify(), and when the rules of an environment have changed.
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

/// What the steps of such a derivation work on.
struct Everything {
    Nodes& nodes;
    std::vector<Node*> predecessors_first; ///< the nodes that have links; the members of one cycle next to one another
    Cycles cycles;                         ///< all cycles
    SharedSlots shared_slots;              ///< set once the effective accounts are derived
};

/// Derives everything again from the stored facts.
/// @param stored,reauths everything that is stored
Derived derive_everything(const Rules& rules, std::vector<Connection> stored, const std::vector<Reauth>& reauths);

/// Derives everything from a ledger. Stored connections that the ledger does not name go into `vanished`.
/// @param stored,stored_reauths everything that is stored, to compare with
/// @param new_connection_id returns the connection_id for a connection that is not stored
Derived derive_everything(const Rules& rules, Fold ledger, std::vector<Connection> stored,
                          const std::vector<Reauth>& stored_reauths,
                          const std::function<std::int64_t()>& new_connection_id);

} // namespace terra_identity
