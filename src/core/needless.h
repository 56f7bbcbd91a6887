// Needless events: those that prune may delete, because what they say of their connection others say, too.
#pragma once

#include "core/facts.h"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace terra_identity {

/// Decides about the old passing events of one connection, without a problem. They are given in the order of their type
/// and, of one type, of their event time. What stays:
///   - whatever the facts of the connection need: those of the events that stay are those of all;
///   - the first and the last of each type: explain and freshness tell of them, `degraded` and contradictions look at
///     them; of the last ones all that have the same event time;
///   - of those that name another end user than the connection has, the first of each such end user.
class NeedlessEvents {
public:
    /// Adds an event. @param disputes whether it names another end user than its connection has
    /// @return the event_ids of events that turn out to be needless
    std::vector<std::int64_t> add(std::int64_t event_id, const Event& event, bool disputes);

private:
    Facts facts_; ///< of the events that stay
    std::set<std::string> disputed_;
    std::optional<std::string> type_;
    std::vector<std::int64_t> last_; ///< those of this type that stay only as its last ones
    Micros last_at_ = 0;
};

} // namespace terra_identity
