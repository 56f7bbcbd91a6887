// Reads a delivery into an Event, by the rules of docs/rules.md, "Reading a payload", for every class of JSON values
// (core/json.h). Nothing here throws because of what the sender sent: `problem` describes what is wrong.
#pragma once

#include "core/event.h"
#include "core/json.h"
#include "core/text.h"

#include <string>
#include <utility>

namespace terra_identity {

template <JsonValue J>
class EventReader {
public:
    EventReader(J payload, Micros received_at) : payload_(payload), received_at_(received_at) {}

    /// Reads an import of a user as Terra lists it. @param is_authenticated what the answer says beside the user
    Event read_listed(J user, J is_authenticated) {
        event_.type = import_type;
        event_.time = received_at_;
        event_.user = read_user_object(user, "user");
        if (event_.user && !event_.user->scopes)
            event_.user->scopes = read_text(user, "granted_scopes"); // as Terra's SQL destination calls them
        if (event_.user)
            event_.kind = import_kind(user, is_authenticated);
        return finish();
    }

    /// Reads the event. Never fails: an event that is not what its type needs has a problem and the kind `nothing`.
    Event read(const Headers& headers) {
        event_.ordering = headers.ordering;
        event_.time = headers.ordering.value_or(received_at_);
        problem_ = headers.problem;
        read_payload();
        return finish();
    }

private:
    Event finish() {
        if (!problem_.empty()) {
            event_.problem = std::move(problem_);
            event_.kind = EventKind::nothing;
        }
        return std::move(event_);
    }

    EventKind import_kind(const J& user, const J& is_authenticated) {
        if (const auto state = read_text(user, "state"))
            return kind_of_state(*state);
        return user.member("active").is_false() || is_authenticated.is_false() ? EventKind::imported_listed
                                                                               : EventKind::imported_alive;
    }

    void read_payload() {
        if (!payload_.is_object())
            return fail("the payload is not a JSON object");
        read_type();
        if (event_.type.empty())
            return fail("\"type\" is missing or not a string");
        event_.kind = kind_of_type(event_.type);
        if (payload_.member("user").is_null() && !needs_user(event_.type)) {
            event_.kind = EventKind::nothing;
            event_.reference_id = any_reference_id(payload_);
            return;
        }
        event_.reference_id = read_reference_id(payload_);
        if (event_.kind == EventKind::user_reauth)
            return read_reauth();
        event_.user = read_user_object(payload_.member("user"), "user");
        if (event_.kind == EventKind::auth_success)
            read_status();
        if (event_.kind == EventKind::athlete)
            read_provider_user_id();
    }

    void read_type() {
        const J type = payload_.member("type");
        if (type.is_string())
            event_.type = trim(type.text());
        if (event_.type.size() > max_id_bytes) { // longer than any of Terra's, and than an index can hold
            event_.type.clear();
            fail("\"type\" is longer than " + std::to_string(max_id_bytes) + " bytes");
        }
        if (event_.type.empty() && (type.is_null() || type.is_string()) && athlete_object().is_object() &&
            payload_.member("user").is_object())
            event_.type = "athlete";
    }

    /// The member "athlete"; if it is an array, the first object in it; absent if there is none.
    J athlete_object() const {
        const J athlete = payload_.member("athlete");
        if (!athlete.is_array())
            return athlete;
        J first;
        athlete.find_member([&first](std::string_view, const J& element) {
            if (element.is_object())
                first = element;
            return element.is_object();
        });
        return first;
    }

    void read_status() {
        const J status = payload_.member("status");
        const std::string_view text = status.is_string() ? trim(status.text()) : std::string_view();
        if (text.empty())
            fail("\"status\" of an \"auth\" is missing or not a string");
        else if (text == "error")
            event_.kind = EventKind::auth_failure;
        else if (text != "success")
            fail("\"status\" of an \"auth\" is neither \"success\" nor \"error\"");
    }

    void read_reauth() {
        event_.user = read_user_object(payload_.member("new_user"), "new_user");
        const J old_user = payload_.member("old_user");
        if (old_user.is_null() || !problem_.empty())
            return;
        if (old_user.is_object()) {
            const auto old_user_id = read_id(old_user, "user_id", "old_user.");
            if (!old_user_id || old_user_id == event_.user->user_id)
                return; // nobody was replaced
        }
        event_.old_user = read_user_object(old_user, "old_user");
    }

    void read_provider_user_id() {
        if (const J athlete = athlete_object(); athlete.is_object())
            event_.provider_user_id = read_account(athlete);
        const J data = payload_.member("data");
        if (event_.provider_user_id)
            return;
        if (data.is_object())
            event_.provider_user_id = read_account(data);
        if (!data.is_array())
            return;
        data.find_member([this](std::string_view, const J& element) {
            if (element.is_object())
                event_.provider_user_id = read_account(element);
            return event_.provider_user_id.has_value() || !problem_.empty();
        });
    }

    std::optional<std::string> read_account(const J& object) { return read_id_or_number(object, "provider_user_id"); }

    std::optional<std::string> read_reference_id(const J& object, const std::string& path = {}) {
        return read_id_or_number(object, "reference_id", path);
    }

    /// The reference_id of an event that names no user. A value that is no id counts as absent, and is no problem.
    std::optional<std::string> any_reference_id(const J& object) {
        const J value = object.member("reference_id");
        return value.is_integer() ? value.integer() : read_text(object, "reference_id");
    }

    /// Like `read_id`, but a 64-bit integer is also an id: its digits.
    std::optional<std::string> read_id_or_number(const J& object, std::string_view key, const std::string& path = {}) {
        const J value = object.member(key);
        if (value.is_integer())
            return value.integer();
        if (!value.is_null() && !value.is_string())
            fail("\"" + path + std::string(key) + "\" is neither a string nor a 64-bit integer");
        return read_id(object, key, path);
    }

    std::optional<UserObject> read_user_object(const J& object, const char* name) {
        const std::string path = std::string(name) + ".";
        if (!object.is_object()) {
            fail(object.is_null() ? "\"" + std::string(name) + "\" is missing"
                                  : "\"" + std::string(name) + "\" is not a JSON object");
            return std::nullopt;
        }
        std::optional<std::string> user_id = read_id(object, "user_id", path);
        if (!user_id) {
            fail("\"" + path + "user_id\" is missing or empty");
            return std::nullopt;
        }
        UserObject user;
        user.user_id = std::move(*user_id);
        if (std::optional<std::string> provider = read_id(object, "provider", path))
            user.provider = upper(*provider);
        user.reference_id = read_reference_id(object, path);
        if (!user.reference_id)
            user.reference_id = event_.reference_id;
        user.scopes = read_text(object, "scopes");
        if (const J created_at = object.member("created_at"); created_at.is_string())
            user.created_at = believed(parse_iso8601(created_at.text()), received_at_);
        return user;
    }

    /// The member `key`, a string, trimmed; null if it is absent, null or empty. It is a problem if it is not a string
    /// or is too long.
    std::optional<std::string> read_id(const J& object, std::string_view key, const std::string& path = {}) {
        const J value = object.member(key);
        if (value.is_null())
            return std::nullopt;
        if (!value.is_string()) {
            fail("\"" + path + std::string(key) + "\" is not a string");
            return std::nullopt;
        }
        const std::string_view text = trim(value.text());
        if (text.size() > max_id_bytes) {
            fail("\"" + path + std::string(key) + "\" is longer than " + std::to_string(max_id_bytes) + " bytes");
            return std::nullopt;
        }
        return text.empty() ? std::nullopt : std::optional<std::string>(text);
    }

    /// The member `key`, a string of any length, trimmed; null if it is empty or anything else.
    std::optional<std::string> read_text(const J& object, std::string_view key) {
        const J value = object.member(key);
        const std::string_view text = value.is_string() ? trim(value.text()) : std::string_view();
        return text.empty() ? std::nullopt : std::optional<std::string>(text);
    }

    /// Notes a problem. Only the first is kept.
    void fail(std::string why) {
        if (problem_.empty())
            problem_ = std::move(why);
    }

    J payload_;
    Micros received_at_;
    Event event_;
    std::string problem_;
};

template <JsonValue J>
Event read_event(J payload, const Headers& headers, Micros received_at) {
    return EventReader<J>(payload, received_at).read(headers);
}

} // namespace terra_identity
