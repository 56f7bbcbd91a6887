// Deliveries for tests: payload, headers and time of receipt of what Terra might send, each in one line. All user
// objects name the provider OURA and the end user `anna` unless changed. Times are seconds after `epoch`.
#pragma once

#include "core/event.h"

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <vector>

namespace terra_identity::test {

/// 2026-01-01 00:00 UTC, second 0 of all tests.
inline constexpr Micros epoch = 1'767'225'600 * micros_per_second;

constexpr Micros second(int number) { return epoch + number * micros_per_second; }

struct Delivery {
    nlohmann::json payload;
    nlohmann::json headers = nlohmann::json::object();
    Micros received_at = epoch;
    bool is_entered = false; ///< correct() or import_users() inserted it

    /// With an ordering timestamp of this second, and received at the same time.
    Delivery at(int seconds) const;

    /// Received at this second, with no ordering timestamp.
    Delivery received(int seconds) const;

    /// Sets a member of all user objects; to null if the value is empty.
    Delivery provider(const std::string& value) const { return with("provider", value); }
    Delivery reference(const std::string& value) const { return with("reference_id", value); }
    Delivery scopes(const std::string& value) const { return with("scopes", value); }

    /// Set `created_at` of `user` or `new_user`; of `old_user`.
    Delivery created(int seconds) const;
    Delivery old_created(int seconds) const;

    /// Sets a member of all user objects.
    Delivery with(const std::string& key, const std::string& value) const;
};

Delivery auth(const std::string& user_id);
Delivery auth_error(const std::string& user_id);
Delivery deauth(const std::string& user_id);
Delivery access_revoked(const std::string& user_id);
Delivery permission_change(const std::string& user_id);
Delivery connection_error(const std::string& user_id);
Delivery body(const std::string& user_id);

/// An athlete event with `athlete.provider_user_id`; an empty account is null.
Delivery athlete(const std::string& user_id, const std::string& account);

/// A user_reauth; an empty `old_user_id` makes `old_user` null.
Delivery reauth(const std::string& old_user_id, const std::string& new_user_id);

/// What correct() inserts; `other_user_id` is empty if `what` needs none.
Delivery correction(const std::string& user_id, const std::string& what, const std::string& other_user_id = "");

/// What import_users() inserts: an import of a list of users that names it.
Delivery import(const std::string& user_id);

/// The same of rows of Terra's SQL destination, where it has this state.
Delivery import_state(const std::string& user_id, const std::string& state);

/// Reads payload and headers as the server does.
Event read(const Delivery& delivery);
std::vector<Event> read_all(const std::vector<Delivery>& deliveries);

} // namespace terra_identity::test
