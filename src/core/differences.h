// Differences: where what is stored is not what follows from the ledger, as the rows of verify() tell it.
#pragma once

#include "core/derived.h"

#include <optional>
#include <string>
#include <vector>

namespace terra_identity {

struct Difference {
    std::string user_id;
    std::string column;                 ///< of `connections`; `reauths` for a row of that table
    std::optional<std::string> stored;  ///< as text; null: it is not there
    std::optional<std::string> derived; ///< likewise
};

/// @param derived everything, by `derive_everything` from a ledger
std::vector<Difference> differences_of(const Derived& derived);

} // namespace terra_identity
