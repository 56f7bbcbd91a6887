// An event: what one webhook delivery contributes, read from its payload and headers.
#pragma once

#include "core/time.h"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace terra_identity {

/// The kind of an event: what it contributes to the connections that it names.
enum class EventKind {
    nothing, ///< it names no connection
    passing, ///< data, and every other type that has a user
    auth_success,
    auth_failure,
    user_reauth,
    deauth,
    access_revoked,
    permission_change,
    connection_error,
    athlete,
    corrected_active, ///< the corrections: a person's decisions, which no webhook can be (core/correction.h)
    corrected_ended,
    corrected_same_person,
    corrected_not_same_person,
    imported_alive, ///< the imports: what Terra's list of users says of one, which no webhook can be (core/import.h)
    imported_listed,
    imported_deauthenticated,
    imported_revoked,
};

constexpr bool is_identity(EventKind kind) { return kind != EventKind::nothing && kind != EventKind::passing; }

/// A `user`, `old_user` or `new_user` object: ids trimmed, empty ones null, provider in upper case.
struct UserObject {
    std::string user_id;
    std::optional<std::string> provider;
    std::optional<std::string> reference_id;
    std::optional<std::string> scopes;
    std::optional<Micros> created_at; ///< null if absent, unreadable or not believed

    bool operator==(const UserObject&) const = default;
};

/// The headers of a delivery that the ledger uses.
struct Headers {
    std::optional<Micros> ordering; ///< null if absent, unreadable or not believed
    std::optional<std::string> trace_id;
    std::optional<std::string> dev_id; ///< the Terra environment that the header names; headers are not signed
    std::string problem;               ///< empty, or which header is too long

    bool operator==(const Headers&) const = default;
};

/// One event of the ledger.
struct Event {
    std::string type; ///< as sent, trimmed; `athlete` for an answer of GET /athlete
    EventKind kind = EventKind::nothing;
    std::optional<UserObject> user;           ///< the user that the event names; of a `user_reauth` the new one
    std::optional<UserObject> old_user;       ///< of a `user_reauth`, if it names a user_id other than that of `user`
    std::optional<std::string> other_user_id; ///< the other connection that a correction is about
    std::optional<std::string> provider_user_id;
    std::optional<std::string> reference_id; ///< at the top level of the payload
    std::string problem; ///< empty, or why the payload is not what its type needs; then `kind` is `nothing`
    Micros time = 0;     ///< the event time
    std::optional<Micros> ordering;

    bool operator==(const Event&) const = default;
};

inline constexpr std::string_view reauth_type = "user_reauth";

/// The types of identity events, and the kind of each before its payload is read: `auth` is `auth_success` until its
/// status is read.
inline constexpr std::array<std::pair<std::string_view, EventKind>, 7> identity_types{{
    {"auth", EventKind::auth_success},
    {reauth_type, EventKind::user_reauth},
    {"deauth", EventKind::deauth},
    {"access_revoked", EventKind::access_revoked},
    {"permission_change", EventKind::permission_change},
    {"connection_error", EventKind::connection_error},
    {"athlete", EventKind::athlete},
}};

/// The kind of an event of this type before its payload is read.
EventKind kind_of_type(std::string_view type);

/// The type of the events that import_users() inserts, one for each user of Terra's list.
inline constexpr std::string_view import_type = "import";

/// What an import says of the connection whose `state` in Terra's SQL destination is this: a word that is not known is
/// no proof of life, and ends nothing.
EventKind kind_of_state(std::string_view state);

/// Whether an event of this type that names no user has a problem.
bool needs_user(std::string_view type);

} // namespace terra_identity
