// What the identity events of a connection say of it, for its explanation: each event that changed something, and one
// sentence about all that repeat what others said.
#pragma once

#include "core/explanation.h"

#include <vector>

namespace terra_identity {

/// @param from,to the reauths that name the connection as old; as new
std::vector<Reason> reasons_of_events(ExplanationSource& source, const Connection& connection,
                                      const std::vector<Reauth>& from, const std::vector<Reauth>& to);

} // namespace terra_identity
