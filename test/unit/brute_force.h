// What follows from all facts, computed the long way and read straight from docs/rules.md. It
// shares no code with the derivation: every question is answered by looking at all connections.
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
    Micros connected_at = 0;                     ///< before that of every connection that replaced it
    std::optional<std::string> provider_user_id; ///< effective
    bool duplicate = false;
    bool cyclic = false;
    std::string lineage;                 ///< the least user_id in it, which stands for it
    std::optional<std::string> resolved; ///< `resolve`: itself if active, else the newest active one of the lineage

    bool operator==(const Truth&) const = default;
};

using Truths = std::map<std::string, Truth>;

/// @param reauths one for each pair of connections that a `user_reauth` names
Truths brute_force(const std::map<std::string, Facts>& facts, const std::set<Reauth>& reauths, const Rules& rules);

} // namespace terra_identity::test
