// Writes what a derivation changed: the difference, once.
#pragma once

#include "core/derivation.h"

#include <string>

#include "pg/relations.h"

namespace terra_identity::pg {

/// Within `as_owner`, while everything that the derivation relied on is held. @return how many connections changed.
std::int64_t write(const Derivation& derivation, const ConnectionsTable& table, const std::string& dev_id);

} // namespace terra_identity::pg
