// The rules of an environment as its users set them, read under its lock.
#pragma once

#include "core/connection.h"

#include <string>

#include "pg/index_scan.h"

namespace terra_identity::pg {

/// The account policy (`keep` without a row in `environments`) and the SDK providers.
Rules read_rules(const std::string& dev_id, Reads reads);

} // namespace terra_identity::pg
