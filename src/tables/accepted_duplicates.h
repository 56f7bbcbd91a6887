// Accounts that may be shared: table `accepted_duplicates`.
#pragma once

#include "core/changes.h"

#include <string>
#include <vector>

namespace terra_identity::tables {

/// Whether an account may be shared.
bool is_accepted(const std::string& dev_id, const Account& account);

/// Adds `accepted` to the detail of each row of the feed that reports a duplicate: whether its account may be shared.
/// Looks up nothing if there is no such row.
void tell_accepted(std::vector<Change>& changes, const std::string& dev_id);

} // namespace terra_identity::tables
