// The connections that this backend has seen settled. Data comes again and again for the same ones.
#pragma once

#include "core/facts.h"

#include <string>

#include "pg/guard.h"

namespace terra_identity::tables {

using namespace pg;

/// Forgets the connections if this is their table, or InvalidOid.
void forget_connections(Oid changed);

/// Whether the stored facts of the connection absorb what a passing event says about it: then it says nothing new.
bool is_known(const std::string& dev_id, const Contribution& passing);

/// Has every backend look again, once this transaction is committed. Whatever takes facts back has to call it: facts
/// that only grow make what is known stay true.
void forget_connections_everywhere();

} // namespace terra_identity::tables
