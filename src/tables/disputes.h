// Disputes: events that name another end user than their connection has. The feed tells of each end user that is named
// in that way once, whatever number of events names her.
#pragma once

#include "core/facts.h"

#include <string>

namespace terra_identity::tables {

enum class DisputesOf {
    everybody,          ///< committed, or of this transaction
    other_transactions, ///< committed
};

/// Whether the ledger has an event of the connection that names this end user in dispute.
bool is_disputed(const std::string& dev_id, const std::string& user_id, const std::string& reference_id, DisputesOf of);

} // namespace terra_identity::tables
