// Reads events that are in the ledger: single ones, and those of one environment from the first to the last.
#pragma once

#include "core/fold.h"

#include <string>

#include "pg/query.h"
#include "tables/progress.h"

namespace terra_identity::tables {

using namespace pg;

/// Reads an event again from what was delivered, or one that was entered by correct() or import_users(). What is out of
/// line is fetched into the current memory context.
Event event_of(Datum received_at, Datum payload, const NullableValue& headers, bool is_entered);

/// Folds all events of the environment. Must run within `as_owner`.
Fold fold_ledger(const std::string& dev_id, Reads reads, ToldProgress& progress);

} // namespace terra_identity::tables
