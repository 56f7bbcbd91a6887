// Changes: what a derivation changed, as the rows of the feed `changes` tell it.
#pragma once

#include "core/derived.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace terra_identity {

struct Change {
    std::int64_t event_id = 0; ///< the event that brought it about; 0: none, for instance a changed setting
    std::string kind;
    std::string user_id;
    std::int64_t lineage_id = 0;
    std::optional<std::string> reference_id;
    nlohmann::json detail; ///< an object, or null
};

/// One row per transition, in the order of the events that brought them about.
std::vector<Change> changes_of(const Derived& derived);

} // namespace terra_identity
