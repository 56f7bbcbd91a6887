// The lineage of a connection, its accounts and who else is on them, as a picture: the text of a Mermaid flowchart,
// which GitHub and many other pages draw.
#pragma once

#include "core/explanation_source.h"

#include <string>

namespace terra_identity {

/// End users are boxes around their connections. Solid arrow: replaced by a user_reauth. Dashed arrow: superseded.
/// Round: a provider account, and lines without arrow from what is active on it. Of a user_id that was never seen: one
/// node that says so. It is never larger than what GitHub draws: 50,000 characters and 500 arrows. If there is more, it
/// leaves out the oldest connections, and says how many.
/// @param dev_id the environment, for the text
std::string explanation_graph(ExplanationSource& source, const std::string& dev_id, const std::string& user_id);

} // namespace terra_identity
