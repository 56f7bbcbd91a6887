// Differences between the stored state and the state that follows from the ledger: the rows of verify().
#pragma once

#include "core/derived.h"

#include <optional>
#include <string>
#include <vector>

namespace terra_identity {

struct Difference {
    std::string user_id;
    std::string column;                 ///< a column of `connections`, or `reauths` for a row of that table
    std::optional<std::string> stored;  ///< as text; null if it does not exist
    std::optional<std::string> derived; ///< the derived value, in the same form
};

/// Returns all differences between stored and derived state.
/// @param derived from `derive_everything` with a ledger
std::vector<Difference> differences_of(const Derived& derived);

} // namespace terra_identity
