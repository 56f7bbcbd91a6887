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

/// What the stored facts of a connection say of a passing event.
struct Known {
    bool absorbs = false;  ///< they contain those of the event, which then changes nothing
    bool disputed = false; ///< the event names another end user
};

Known look_up(const std::string& dev_id, const Contribution& passing);

/// Makes every backend forget its connections when this transaction commits. Must be called by whatever takes facts
/// back, or gives a connection another end user. Otherwise facts only grow, so that what is remembered stays true.
void forget_connections_everywhere();

} // namespace terra_identity::tables
