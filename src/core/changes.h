// The rows of the feed `changes` that report what a derivation changed.
#pragma once

#include "core/derived.h"
#include "core/json_tree.h"

#include <cstdint>
#include <string>
#include <vector>

namespace terra_identity {

/// One row of the feed.
struct Change {
    std::int64_t event_id = 0; ///< the event that caused the change; 0: none, for instance after an edit of a rule
    std::string kind;
    std::string user_id;
    std::int64_t lineage_id = 0;
    std::optional<std::string> reference_id;
    JsonTree detail; ///< an object, or null
};

/// Returns one row per transition, in the order of the events that caused the transitions.
std::vector<Change> changes_of(const Derived& derived);

} // namespace terra_identity
