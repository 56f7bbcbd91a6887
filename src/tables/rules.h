// The rules of an environment as its users set them.
#pragma once

#include "core/rules.h"

#include <string>

#include "pg/index_scan.h"

namespace terra_identity::tables {

using namespace pg;

/// The account policy (`keep` without a row in `environment_settings`) and what is particular about providers.
Rules read_rules(const std::string& dev_id, Reads reads);

/// The same as they were committed last, read only if they have changed. Under the lock of the environment.
Rules remembered_rules(const std::string& dev_id);

} // namespace terra_identity::tables
