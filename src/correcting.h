// What other functions let an event of the ledger say in the name of their caller.
#pragma once

#include <string>

namespace terra_identity {

/// Inserts the correction `ended` of a connection, as correct() does, but refuses nothing.
void insert_end(const std::string& user_id, const std::string& note, const std::string& dev_id);

} // namespace terra_identity
