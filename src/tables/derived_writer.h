// Writes the result of a derivation to `connections`, `reauths`, `changes` and `disconnects`: only rows that differ
// from what is stored.
#pragma once

#include "core/derived.h"
#include "core/rules.h"

#include "tables/progress.h"
#include "tables/table_store.h"

namespace terra_identity::tables {

using namespace pg;

/// Everything that the derivation relied on has to be locked. Within `as_owner` if the derivation is of everything.
/// @param store the one that the derivation has read from
/// @param on_duplicate the environment's
/// @param progress is told how many connections are written; null if nobody waits for that
/// @return how many connections and reauths changed
std::int64_t write(const Derived& derived, TableStore& store, OnDuplicate on_duplicate,
                   ToldProgress* progress = nullptr);

} // namespace terra_identity::tables
