// Reads the rules of an environment from the tables of settings.
#pragma once

#include "core/rules.h"

#include <string>

#include "pg/index_scan.h"

namespace terra_identity::tables {

using namespace pg;

/// Reads the rules of an environment (`keep` and `report` without a row in `environment_settings`) and of all
/// providers.
Rules read_rules(const std::string& dev_id, Reads reads);

/// The same rules as committed last, which are read again only if they have changed. The environment must be locked.
Rules remembered_rules(const std::string& dev_id);

/// Whether the environment stores events as they were delivered (environments.store_data), as committed last.
bool stores_data(const std::string& dev_id);

} // namespace terra_identity::tables
