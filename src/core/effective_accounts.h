// The effective provider_user_id of a connection: its own, else that of the connection that it replaced, and so on
// back.
#pragma once

#include "core/everything.h"
#include "core/neighbourhood.h"

#include <vector>

namespace terra_identity {

/// The predecessor whose account a connection takes if it has none of its own: the newest that has an effective one.
/// Null if none has. The members of a cycle take theirs by another rule.
const Connection* account_giver(const std::vector<const Connection*>& predecessors);

/// Sets `now.provider_user_id` of all connections.
void derive_effective_accounts(Everything& everything);

/// Sets `now.provider_user_id` of the nodes whose facts, rules or links have changed, and of the nodes that inherit it
/// from them. Marks the nodes that it changes as touched. @param moved the nodes whose place in the order of newness
/// has changed
void derive_effective_accounts(Neighbourhood& neighbourhood, const std::vector<Node*>& moved);

} // namespace terra_identity
