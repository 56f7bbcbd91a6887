// ExplanationSource: what is known about connections, for those who explain it. Answers are bounded, whatever there is:
// nothing that an explanation reads depends on the number of events, or of connections in a lineage or on an account.
#pragma once

#include "core/connection.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace terra_identity {

/// An event that is in the ledger.
struct LedgerEvent {
    std::int64_t event_id = 0;
    Event event;
    std::string entered_by = {}; ///< the role that called correct() or import_users(); empty for a delivery
    std::string note = {};       ///< of a correction: how it knew
};

/// What does not fit a connection: a row of the view `contradictions`.
struct Contradiction {
    std::optional<Micros> last_at;
    std::string sentence;
};

/// Events of one type, by event time, oldest first. If there are too many, the oldest and the newest of them.
struct SomeEvents {
    std::vector<LedgerEvent> events;
    bool complete = true;
};

/// Connections that have something in common: the newest of them, and how many there are in all.
struct SomeConnections {
    /// More are not counted.
    static constexpr std::int64_t most_counted = 1000;

    std::vector<Connection> newest; ///< newest first
    std::int64_t count = 0;         ///< at most `most_counted`
};

/// The passing events of one type, data for instance.
struct PassingEvents {
    std::string type;
    Micros first = 0; ///< the least and the greatest event time, and the event that has it
    Micros last = 0;
    std::int64_t last_event_id = 0;
};

class ExplanationSource {
public:
    virtual ~ExplanationSource() = default;

    /// These connections, in any order. One that is not known, or not to be seen, is left out.
    virtual std::vector<Connection> connections(const std::vector<std::string>& user_ids) = 0;

    /// The reauths that name this connection as old; as new. Some of them if there are very many.
    virtual std::vector<Reauth> reauths_from(const std::string& user_id) = 0;
    virtual std::vector<Reauth> reauths_to(const std::string& user_id) = 0;

    /// The connections of a lineage: at most `limit` of each status.
    virtual SomeConnections lineage(std::int64_t lineage_id, std::size_t limit) = 0;

    /// The active connections on an account.
    virtual SomeConnections active_on(const Account& account, std::size_t limit) = 0;

    /// The superseded connections that have this one as their successor, of an account that only one connection can
    /// hold; at most `limit`, in any order.
    virtual std::vector<Connection> taken_over_by(const std::string& user_id, std::size_t limit) = 0;

    /// The identity events of a type, or the corrections or imports, whose `user_id` is this one. (Of a `user_reauth`
    /// that is the new connection.)
    virtual SomeEvents identity_events(const std::string& user_id, const std::string& type) = 0;

    /// Some connections that a correction says are of the same person as this one. What this one's own corrections name
    /// is not among them.
    virtual std::vector<std::string> corrected_as_same_person(const std::string& user_id) = 0;

    virtual std::vector<PassingEvents> passing_events(const std::string& user_id) = 0;

    /// Whether an active connection is degraded.
    virtual bool is_degraded(const std::string& user_id) = 0;

    virtual std::vector<Contradiction> contradictions(const std::string& user_id) = 0;

    /// Of a user_id that this environment does not know: some environments that do, whether an event with a problem
    /// names it, and some connections whose reference_id it is.
    virtual std::vector<std::string> environments_of(const std::string& user_id) = 0;
    virtual bool has_problem(const std::string& user_id) = 0;
    virtual std::vector<std::string> user_ids_of_reference(const std::string& reference_id) = 0;
};

} // namespace terra_identity
