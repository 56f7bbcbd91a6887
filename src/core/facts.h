// Facts of a connection: the fold of all events that name it. Facts combine by min, max, or, and last writer, so that
// merging is associative, commutative and idempotent, and no order of events can matter.
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
    bool passing = false; ///< by a passing event, which counts only where no identity event wrote

    bool operator==(const Written&) const = default;
};

/// Last writer wins; equal times go to the greater value. Among passing events the *first* writer wins, equal times
/// going to the lesser value: what was known first stays until an identity event says otherwise.
using Register = std::optional<Written>;

/// The facts of one connection, or what one event adds to them. Times in microseconds since 1970.
struct Facts {
    std::optional<Micros> created_at;    ///< least `created_at` in any of its user objects
    std::optional<Micros> first_seen_at; ///< least event time over events that name it; null only in empty facts
    bool live = false;                   ///< something else than an ending event named it
    bool confirmed = false;              ///< it had an `auth` success or was a `new_user`
    std::optional<Micros> alive_at;      ///< the latest proof of life
    Register replaced;                   ///< the last `user_reauth` that names it as old: the new user_id
    std::optional<Micros> deauthenticated_at;
    std::optional<Micros> revoked_at;
    std::optional<Micros> failed_at;
    std::optional<Micros> degraded_at; ///< the last `connection_error`
    Register provider;
    Register reference_id;
    Register scopes;
    Register provider_user_id; ///< its own, from athlete events

    /// Adds what an event says about the connection of its `user`; of its `old_user`.
    void add_user(const Event& event);
    void add_old_user(const Event& event);

    /// Adds facts.
    void merge(const Facts& other);

    /// Whether merging `other` would change nothing.
    bool absorbs(const Facts& other) const;

    /// When it was connected, by its own events.
    Micros connected_at() const { return created_at ? *created_at : first_seen_at.value_or(0); }

    /// Whether it is known since when it is there: by a `created_at`, or by having been connected before our eyes.
    bool dated() const { return created_at || confirmed; }

    /// It has an ending fact, and no proof of life later than the latest of them.
    bool ended() const;

    bool operator==(const Facts&) const = default;

private:
    /// Adds what any user object says about its connection.
    void add_object(const UserObject& object, const Event& event);
};

/// The facts of a connection of which identity events have said all but its least times: what a passing event may still
/// lower.
struct Settled {
    Micros first_seen_at = 0;
    std::optional<Micros> created_at;

    /// Whether the facts that these were taken from absorb those of a passing event.
    bool absorbs(const Facts& passing) const;
};

/// Null if a passing event may say more than times.
std::optional<Settled> settled(const Facts& facts);

/// What all `user_reauth` events say that name these two connections as the old and the new one.
struct Reauth {
    std::string old_user_id;
    std::string new_user_id;
    bool transfer = false; ///< each of them names two end users: the account went from one to the other

    auto operator<=>(const Reauth&) const = default;
};

/// What one event says about one connection.
struct Contribution {
    std::string user_id;
    Facts facts;
};

/// What one event says about all connections that it names: none, one, or (a `user_reauth`) two, the old one first.
std::vector<Contribution> contributions_of(const Event& event);

/// Whether a `user_reauth` that names two connections gives them to two end users.
bool is_transfer(const Event& event);

/// The link that an event makes, if it is a `user_reauth` that names two connections.
std::optional<Reauth> reauth_of(const Event& event);

} // namespace terra_identity
