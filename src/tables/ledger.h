// Reads the ledger of one environment, from its first event to its last.
#pragma once

#include "core/fold.h"

#include <string>

#include "pg/query.h"

namespace terra_identity::tables {

using namespace pg;

/// Folds all events of the environment. Must run within `as_owner`.
Fold fold_ledger(const std::string& dev_id, Reads reads);

} // namespace terra_identity::tables
