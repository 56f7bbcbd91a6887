// What other functions let an event of the ledger say in the name of their caller.
#pragma once

#include "core/time.h"

#include <optional>
#include <string>

namespace terra_identity {

/// Inserts the correction `ended` of a connection, as correct() does, but refuses nothing.
/// @param at its event time; null: now
void insert_end(const std::string& user_id, const std::string& note, const std::string& dev_id,
                std::optional<Micros> at = {});

} // namespace terra_identity
