// An event: what one webhook delivery says, read from its payload and headers.
#pragma once

#include "core/time.h"

#include <optional>
#include <string>
#include <string_view>

namespace terra_identity {

/// What an event says about the connections that it names.
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

/// The headers of a delivery that matter for its place in the ledger.
struct Headers {
    std::optional<Micros> ordering; ///< null if absent, unreadable or not believed
    std::optional<std::string> trace_id;
    std::optional<std::string> dev_id; ///< the Terra environment that the delivery says it is of; nobody signs it
    std::string problem;               ///< empty, or why the delivery cannot be told from others

    bool operator==(const Headers&) const = default;
};

struct Event {
    std::string type; ///< as sent, trimmed; `athlete` for an answer of GET /athlete
    EventKind kind = EventKind::nothing;
    std::optional<UserObject> user;     ///< the user named; of a `user_reauth` the new one
    std::optional<UserObject> old_user; ///< of a `user_reauth`, if it names another than `user`
    std::optional<std::string> provider_user_id;
    std::optional<std::string> reference_id; ///< at the top level, of an event without a user
    std::string problem; ///< empty, or why the payload is not what its type needs; then it says nothing
    Micros time = 0;     ///< the event time
    std::optional<Micros> ordering;

    bool operator==(const Event&) const = default;
};

/// What a `type` is before its payload is looked into. `auth` is `auth_success` until its status is read.
EventKind kind_of_type(std::string_view type);

/// Whether a payload of this type without a user is not what its type needs.
bool needs_user(std::string_view type);

} // namespace terra_identity
