// The state that follows from all facts, computed by brute force, directly from docs/rules.md. It shares no code with
// the derivation: it answers every question by looking at all connections.
#pragma once

#include "core/rules.h"

#include <map>
#include <optional>
#include <set>
#include <string>

namespace terra_identity::test {

struct Truth {
    std::string status;
    std::optional<std::string> successor_user_id;
    std::optional<Micros> ended_at;
    Micros connected_at = 0;                     ///< earlier than that of every connection that replaced this one
    std::optional<std::string> provider_user_id; ///< the effective one
    bool duplicate = false;
    bool cyclic = false;
    std::string lineage;                 ///< the least user_id of the lineage, which stands for its lineage_id
    std::optional<std::string> resolved; ///< `resolve`: itself if active, else the newest active one of its lineage

    bool operator==(const Truth&) const = default;
};

using Truths = std::map<std::string, Truth>;

/// Computes the state. @param reauths one for each pair of connections that a `user_reauth` names
Truths brute_force(const std::map<std::string, Facts>& facts, const std::set<Reauth>& reauths, const Rules& rules);

} // namespace terra_identity::test
