// The effective provider_user_id: a connection's own, else that of the connection it replaced, and so on back.
#pragma once

#include "core/everything.h"
#include "core/neighbourhood.h"

#include <vector>

namespace terra_identity {

/// Sets `now.provider_user_id` of all.
void derive_effective_accounts(Everything& everything);

/// Sets `now.provider_user_id` of the nodes whose facts, rules or links have changed, and of their heirs; marks as
/// touched those that it changes. @param moved the nodes whose place has changed
void derive_effective_accounts(Neighbourhood& neighbourhood, const std::vector<Node*>& moved);

} // namespace terra_identity
