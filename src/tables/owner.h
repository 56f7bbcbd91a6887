// The role that owns the extension's tables, and in whose name the extension reads and writes them.
#pragma once

#include "pg/guard.h"

namespace terra_identity::tables {

Oid owner_of_tables();

} // namespace terra_identity::tables
