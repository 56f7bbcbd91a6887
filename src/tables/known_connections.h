// The connections that this backend remembers as settled (core/facts.h), because data comes again and again for the
// same ones.
#pragma once

#include "core/facts.h"

#include <string>

#include "pg/guard.h"

namespace terra_identity::tables {

using namespace pg;

/// Forgets the connections if `changed` is their table, or InvalidOid.
void forget_connections(Oid changed);

/// Whether the stored facts of the connection absorb those of a passing event, which then changes nothing.
bool is_known(const std::string& dev_id, const Contribution& passing);

/// Makes every backend forget its connections when this transaction commits. Must be called by whatever takes facts
/// back. Otherwise facts only grow, so that what is remembered stays true.
void forget_connections_everywhere();

} // namespace terra_identity::tables
