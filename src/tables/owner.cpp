#include "tables/owner.h"

#include "pg/relations.h"

namespace terra_identity::tables {

Oid owner_of_tables() {
    pg::Table environments("environment_settings", AccessShareLock);
    const Oid owner = environments.owner();
    environments.close();
    return owner;
}

} // namespace terra_identity::tables
