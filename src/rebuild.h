// Deriving the state of an environment again from its ledger, for rebuild() and for what edits the ledger.
#pragma once

#include <cstdint>
#include <string>

namespace terra_identity {

/// Derives the state of an environment from the ledger and writes it; connection_ids stay. @return how many rows
/// changed
std::int64_t rebuild(const std::string& dev_id);

} // namespace terra_identity
