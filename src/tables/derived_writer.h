// Writes what a derivation changed: the difference, once.
#pragma once

#include "core/derived.h"

#include <string>

#include "pg/relations.h"

namespace terra_identity::tables {

using namespace pg;

/// While everything that the derivation relied on is held; within `as_owner` if the derivation is of
/// everything. @return how many connections and reauths changed.
std::int64_t write(const Derived& derived, const Table& table, const std::string& dev_id);

} // namespace terra_identity::tables
