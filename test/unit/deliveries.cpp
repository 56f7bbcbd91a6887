#include "deliveries.h"

#include "core/entered.h"
#include "core/headers.h"

namespace terra_identity::test {
namespace {

using nlohmann::json;

json user_object(const std::string& user_id) {
    return {{"user_id", user_id}, {"provider", "OURA"}, {"reference_id", "anna"}};
}

Delivery about(const std::string& type, const char* status, const std::string& user_id) {
    Delivery delivery;
    delivery.payload = {{"type", type}, {"user", user_object(user_id)}};
    if (status != nullptr)
        delivery.payload["status"] = status;
    return delivery;
}

json or_null(const std::string& text) { return text.empty() ? json() : json(text); }

} // namespace

Delivery Delivery::at(int seconds) const {
    Delivery result = received(seconds);
    result.headers["x-terra-ordering-timestamp"] = std::to_string(second(seconds) / 1000);
    return result;
}

Delivery Delivery::received(int seconds) const {
    Delivery result = *this;
    result.received_at = second(seconds);
    return result;
}

Delivery Delivery::created(int seconds) const {
    Delivery result = *this;
    result.payload[payload.contains("user") ? "user" : "new_user"]["created_at"] = format_iso8601(second(seconds));
    return result;
}

Delivery Delivery::old_created(int seconds) const {
    Delivery result = *this;
    result.payload["old_user"]["created_at"] = format_iso8601(second(seconds));
    return result;
}

Delivery Delivery::with(const std::string& key, const std::string& value) const {
    Delivery result = *this;
    for (const char* user : {"user", "new_user", "old_user"})
        if (result.payload.contains(user) && result.payload[user].is_object())
            result.payload[user][key] = or_null(value);
    return result;
}

Delivery auth(const std::string& user_id) { return about("auth", "success", user_id); }
Delivery auth_error(const std::string& user_id) { return about("auth", "error", user_id); }
Delivery deauth(const std::string& user_id) { return about("deauth", "success", user_id); }
Delivery access_revoked(const std::string& user_id) { return about("access_revoked", "warning", user_id); }
Delivery permission_change(const std::string& user_id) { return about("permission_change", "warning", user_id); }
Delivery connection_error(const std::string& user_id) { return about("connection_error", "warning", user_id); }
Delivery body(const std::string& user_id) { return about("body", nullptr, user_id); }

Delivery athlete(const std::string& user_id, const std::string& account) {
    Delivery delivery = about("athlete", nullptr, user_id);
    delivery.payload["athlete"] = {{"provider_user_id", or_null(account)}};
    return delivery;
}

Delivery reauth(const std::string& old_user_id, const std::string& new_user_id) {
    Delivery delivery;
    delivery.payload = {{"type", "user_reauth"},
                        {"status", "warning"},
                        {"new_user", user_object(new_user_id)},
                        {"old_user", old_user_id.empty() ? json() : user_object(old_user_id)}};
    return delivery;
}

Delivery correction(const std::string& user_id, const std::string& what, const std::string& other_user_id) {
    Delivery delivery;
    delivery.payload = {{"type", "correction"},
                        {"user", {{"user_id", user_id}}},
                        {"correction", {{"what", what}, {"note", "as she says"}}}};
    if (!other_user_id.empty())
        delivery.payload["correction"]["other_user_id"] = other_user_id;
    delivery.is_entered = true;
    return delivery;
}

Delivery import(const std::string& user_id) {
    Delivery delivery = about("import", nullptr, user_id);
    delivery.is_entered = true;
    return delivery;
}

Delivery import_state(const std::string& user_id, const std::string& state) {
    Delivery delivery = import(user_id);
    delivery.payload["user"]["state"] = state;
    return delivery;
}

Event read(const Delivery& delivery) {
    if (delivery.is_entered)
        return read_entered(NlohmannView(delivery.payload), delivery.received_at);
    const Headers headers = read_headers(NlohmannView(delivery.headers), delivery.received_at);
    return read_event(NlohmannView(delivery.payload), headers, delivery.received_at);
}

std::vector<Event> read_all(const std::vector<Delivery>& deliveries) {
    std::vector<Event> events;
    for (const Delivery& delivery : deliveries)
        events.push_back(read(delivery));
    return events;
}

} // namespace terra_identity::test
