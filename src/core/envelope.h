// The envelope of a delivery: what the rules read of its payload and headers, and nothing else. It is read as the same
// event, problem included, and its own envelope is itself. core/event_reader.h and core/headers.h say what is read;
// what they read more one day must be kept here.
#pragma once

#include "core/headers.h"
#include "core/json.h"
#include "core/json_text.h"
#include "core/text.h"
#include "core/time.h"

#include <optional>
#include <string>
#include <string_view>

namespace terra_identity {

template <JsonValue J>
class EnvelopeWriter {
public:
    explicit EnvelopeWriter(J payload) : payload_(payload) {}

    std::string write() const {
        if (!payload_.is_object())
            return "null"; // no object either
        JsonObjectText envelope;
        const J type = payload_.member("type");
        const std::string_view word = type.is_string() ? trim(type.text()) : std::string_view();
        envelope.add("type", id(type));
        const bool names_user = !payload_.member("user").is_null() || needs_user(word);
        const J reference_id = payload_.member("reference_id");
        envelope.add("reference_id", names_user ? id(reference_id) : scalar(reference_id));
        if (word == "auth")
            envelope.add("status", id(payload_.member("status")));
        for (const std::string_view name : {"user", "new_user", "old_user"})
            if ((name == "user") != (word == reauth_type))
                envelope.add(name, user(payload_.member(name)));
        if (word.empty() || word == "athlete") { // an answer of GET /athlete has no type
            envelope.add("athlete", athlete());
            envelope.add("data", account_in_data());
        }
        return std::move(envelope).finish();
    }

private:
    /// A value that the rules read if it is a string or an integer. Of anything else only that it is something else.
    static std::string scalar(const J& value) {
        if (value.is_null())
            return "";
        if (value.is_string())
            return json_string(value.text());
        if (value.is_object())
            return "{}";
        if (value.is_array())
            return "[]";
        return value.is_integer() ? value.integer() : value.is_false() ? "false" : "true";
    }

    /// The same for what may not be long: of a text that is too long only that it is.
    static std::string id(const J& value) {
        if (value.is_string() && trim(value.text()).size() > max_id_bytes)
            return json_string(std::string(max_id_bytes + 1, '-'));
        return scalar(value);
    }

    static std::string user(const J& object) {
        if (!object.is_object())
            return object.is_null() ? "" : "true";
        JsonObjectText result;
        for (const std::string_view name : {"user_id", "provider", "reference_id"})
            result.add(name, id(object.member(name)));
        result.add("scopes", scalar(object.member("scopes")));
        if (const J created_at = object.member("created_at");
            created_at.is_string() && parse_iso8601(created_at.text()))
            result.add("created_at", scalar(created_at));
        return std::move(result).finish();
    }

    static std::string account(const J& object) {
        JsonObjectText result;
        result.add("provider_user_id", id(object.member("provider_user_id")));
        return std::move(result).finish();
    }

    /// The athlete object, which the reader takes out of an array.
    std::string athlete() const {
        const J athlete = payload_.member("athlete");
        if (athlete.is_object())
            return account(athlete);
        std::string first;
        if (athlete.is_array())
            athlete.find_member([&first](std::string_view, const J& element) {
                if (element.is_object())
                    first = account(element);
                return element.is_object();
            });
        return first;
    }

    /// The account that stands in `data`. Of an array its first element that says something, after an empty one if it
    /// is not the very first: once an event has a problem, no other is read.
    std::string account_in_data() const {
        const J data = payload_.member("data");
        if (data.is_object())
            return account(data);
        if (!data.is_array())
            return "";
        std::string silent, speaking;
        data.find_member([&](std::string_view, const J& element) {
            const J id = element.is_object() ? element.member("provider_user_id") : J();
            if (id.is_null() || (id.is_string() && trim(id.text()).empty()))
                silent = "{},";
            else
                speaking = account(element);
            return !speaking.empty();
        });
        return speaking.empty() ? "" : "[" + silent + speaking + "]";
    }

    J payload_;
};

/// Whether the ledger may keep the envelope of an event in place of what was delivered: of every event but identity
/// events, and those that were entered.
inline bool may_be_envelope(std::string_view type) { return kind_of_type(type) == EventKind::passing; }

/// Whether the data of an event lies behind an URL in it: then the event is kept, also where no data is stored, until
/// it is fetched.
constexpr bool leads_to_data(std::string_view type) { return type == "s3_payload" || type == "s3_upload"; }

/// The envelope of a payload, as JSON text. For webhooks only: what correct() and import_users() insert is not read so.
template <JsonValue J>
std::string envelope_of(const J& payload) {
    return EnvelopeWriter<J>(payload).write();
}

/// The envelope of headers, as JSON text: the ordering timestamp, and a header that is a problem. Null if there is
/// neither.
template <JsonValue J>
std::optional<std::string> envelope_of_headers(const J& headers, Micros received_at) {
    const Headers read = read_headers(headers, received_at);
    JsonObjectText envelope;
    if (read.ordering)
        envelope.add(ordering_header, json_string(std::to_string(*read.ordering / 1000)));
    if (!read.problem.empty())
        for (const std::string_view wanted : {trace_id_header, dev_id_header})
            headers.find_member([&](std::string_view name, const J& member) {
                const J value = header_value(member);
                const std::string_view text = value.is_string() ? trim(value.text()) : std::string_view();
                if (text.empty() || !equals_ignoring_case(name, wanted))
                    return false;
                if (text.size() > max_id_bytes)
                    envelope.add(wanted, json_string(std::string(max_id_bytes + 1, '-')));
                return true; // the first that says something is the one that counts
            });
    return envelope.empty() ? std::nullopt : std::optional(std::move(envelope).finish());
}

} // namespace terra_identity
