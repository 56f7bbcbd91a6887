// Whose a connection was at what time, by its identity events. Passing events do not count here, so that the history
// stays when old data is dropped.
#pragma once

#include "core/facts.h"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace terra_identity {

/// A time in which a connection was one end user's.
struct ReferencePeriod {
    std::string reference_id;
    std::optional<Micros> from; ///< null: since ever
    std::optional<Micros> to;   ///< the time before which it ends; null: it goes on for ever

    bool operator==(const ReferencePeriod&) const = default;
};

/// Collects what the identity events of one connection say of its end user.
class ReferenceHistory {
public:
    explicit ReferenceHistory(std::string user_id) : user_id_(std::move(user_id)) {}

    /// Adds an event. One that is no identity event, or names another connection, adds nothing. Order and repetition do
    /// not matter.
    void add(const Event& event);

    /// The periods, oldest first: each time belongs to exactly one, and neighbours are of different end users. What the
    /// first event says holds also before it, because the id did not exist then, and Terra sends data of the years
    /// before. The last end user is the connection's reference_id.
    /// @param reference_id what the connection has: if no identity event names an end user, it holds for all times if
    /// it is from a passing event, and else, because an event is missing, nothing is known
    std::vector<ReferencePeriod> periods(const Register& reference_id) const;

private:
    std::string user_id_;
    std::map<Micros, Register> written_; ///< by event time
};

/// The period that a time belongs to; null if there are no periods. @param periods as ReferenceHistory returns them
const ReferencePeriod* period_at(const std::vector<ReferencePeriod>& periods, Micros time);

} // namespace terra_identity
