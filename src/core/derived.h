// The result of a derivation: what is to be written, and what the feed `changes` reports.
#pragma once

#include "core/keys.h"
#include "core/nodes.h"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace terra_identity {

/// A user_reauth that names no old connection.
struct ReauthOfNobody {
    std::string new_user_id;
    std::int64_t event_id = 0;
    std::vector<std::string> candidates; ///< others of the same end user and provider that are active, at most ten
};

/// An event that names another end user than its connection has, the first that names this one.
struct Dispute {
    std::string user_id;
    std::int64_t event_id = 0;
    std::string reference_id; ///< the end user that the event names
};

struct Derived {
    Nodes nodes; ///< every connection that was loaded or is new, with its stored and its new state

    std::set<Reauth> new_reauths;      ///< not stored yet
    std::set<Reauth> vanished_reauths; ///< stored, but no longer derived
    std::vector<Connection> vanished;  ///< stored, but not named in the ledger

    /// Old to new lineage_id, for the members of these lineages that were not loaded.
    std::map<std::int64_t, std::int64_t> moved_lineages;

    std::vector<ReauthOfNobody> reauths_of_nobody; ///< with candidates, for the feed; whoever applies events sets them

    std::vector<Dispute> disputes; ///< for the feed, as above

    /// The keys that the result relies on: it is valid only if all of them were locked when the derivation read. Empty
    /// for a derivation of everything, during which nobody else may write.
    Keys keys;
};

} // namespace terra_identity
