// Writes what a derivation changed: the difference, once.
#pragma once

#include "core/derived.h"

#include "tables/table_store.h"

namespace terra_identity::tables {

using namespace pg;

/// While everything that the derivation relied on is held; within `as_owner` if the derivation is of everything.
/// @param store what it was derived from
/// @return how many connections and reauths changed
std::int64_t write(const Derived& derived, TableStore& store);

} // namespace terra_identity::tables
