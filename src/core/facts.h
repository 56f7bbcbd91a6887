// Facts of a connection: what all events that name it add up to. Facts combine by min, max, or, and last writer. So
// merging is associative, commutative and idempotent, and the order of the events does not matter.
#pragma once

#include "core/event.h"

#include <optional>
#include <string>
#include <vector>

namespace terra_identity {

/// A value and when it was written.
struct Written {
    std::string value;
    Micros at = 0;
    bool passing = false; ///< written by a passing event, which counts only if no identity event wrote

    bool operator==(const Written&) const = default;
};

/// A value of which the last writer wins; at equal times the greater value. Among passing events the *first* writer
/// wins, at equal times the lesser value: what was known first stays until an identity event contradicts it.
using Register = std::optional<Written>;

/// Writes another value to a register: the winner of the two stays.
void keep_winner(Register& mine, const Register& other);

/// The facts of one connection, or those that one event adds. Times are microseconds since 1970.
struct Facts {
    std::optional<Micros> created_at;    ///< least `created_at` in any of its user objects
    std::optional<Micros> first_seen_at; ///< least event time over events that name it; null only in empty facts
    bool live = false;                   ///< an event other than an ending event named it
    bool confirmed = false;              ///< it had an `auth` success, was a `new_user`, or was imported
    std::optional<Micros> alive_at;      ///< the latest proof of life
    Register replaced;                   ///< the new user_id of the last `user_reauth` that names it as old
    std::optional<Micros> deauthenticated_at;
    std::optional<Micros> revoked_at;
    std::optional<Micros> failed_at;
    std::optional<Micros> degraded_at; ///< the last `connection_error`
    Register provider;
    Register reference_id;
    Register scopes;
    Register provider_user_id; ///< the connection's own, from athlete events
    Register same_person_as;   ///< the connection that a correction says is of the same person; empty: taken back

    /// Add what an event contributes to the connection of its `user`; to that of its `old_user`; to its
    /// `other_user_id`.
    void add_user(const Event& event);
    void add_old_user(const Event& event);
    void add_other(const Event& event);

    /// Adds other facts about the same connection.
    void merge(const Facts& other);

    /// Whether merging `other` would change nothing.
    bool absorbs(const Facts& other) const;

    /// When the connection was made, according to its own events.
    Micros connected_at() const { return created_at ? *created_at : first_seen_at.value_or(0); }

    /// The connection that a correction says is of the same person; null if there is none.
    const std::string* same_person() const {
        return same_person_as && !same_person_as->value.empty() ? &same_person_as->value : nullptr;
    }

    /// Whether it is known since when the connection exists: it has a `created_at`, or it is confirmed.
    bool dated() const { return created_at || confirmed; }

    /// The time of the latest ending fact; null if there is none.
    std::optional<Micros> last_end() const;

    /// Whether the connection is ended: it has an ending fact, and no proof of life that is later than the latest of
    /// them.
    bool ended() const;

    bool operator==(const Facts&) const = default;

private:
    /// Adds what a user object of any event contributes.
    void add_object(const UserObject& object, const Event& event);
};

/// Whether a passing event names another end user than an identity event did at an earlier time.
/// @param stored the reference_id of the connection
/// @param passing what the event contributes to it
bool disputes(const Register& stored, const Register& passing);

/// The facts of a settled connection that a passing event can still change, its least times, or dispute. A connection
/// is settled when it is live and identity events have written its provider, reference_id and scopes.
struct Settled {
    Micros first_seen_at = 0;
    std::optional<Micros> created_at;
    Register reference_id;

    /// Whether a passing event would change no fact of the settled connection.
    bool absorbs(const Facts& passing) const;
};

/// Returns null if the connection is not settled: a passing event may change more than its least times.
std::optional<Settled> settled(const Facts& facts);

/// All `user_reauth` events that name the same old and the same new connection.
struct Reauth {
    std::string old_user_id;
    std::string new_user_id;
    bool transfer = false; ///< each of these events names two end users: the account moved from one to the other

    auto operator<=>(const Reauth&) const = default;
};

/// The facts that one event adds to one connection.
struct Contribution {
    std::string user_id;
    Facts facts;
};

/// The contributions of one event to the connections that it names: none, one, or two: of a `user_reauth`, the old
/// connection first; of a correction that names two, the other connection last.
std::vector<Contribution> contributions_of(const Event& event);

/// Whether a `user_reauth` that names two connections names two different end users.
bool is_transfer(const Event& event);

/// The reauth of an event; null unless it is a `user_reauth` that names two connections.
std::optional<Reauth> reauth_of(const Event& event);

} // namespace terra_identity
