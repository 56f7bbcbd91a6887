// Reads any payload with any headers. The event that is read keeps the promises of event.h, has a problem exactly if
// docs/rules.md requires one, and does not depend on anything that the rules do not name. Its envelope is the same
// event.
//
// Input: the payload, and after a NUL byte the headers; both are JSON.
#include "promise.h"

#include "core/envelope.h"
#include "core/event_reader.h"
#include "core/facts.h"
#include "core/headers.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>

namespace terra_identity::fuzz {
namespace {

using nlohmann::json;

constexpr std::string_view white_space = " \t\n\r\v\f";
constexpr Micros epoch = 1'767'225'600 * micros_per_second; // 2026-01-01 00:00 UTC
constexpr Micros last_received_at = INT64_MAX - micros_per_day;
constexpr Micros year_2015 = 1'420'070'400 * micros_per_second;
constexpr Micros year_10000 = 253'402'300'800 * micros_per_second;
constexpr int deepest = 64; // copying and writing JSON is recursive

/// A JsonValue whose objects have their members in the opposite order.
class Reversed {
public:
    Reversed() = default;
    explicit Reversed(const json& value) : json_(&value), forward_(value) {}

    bool is_null() const { return forward_.is_null(); }
    bool is_object() const { return forward_.is_object(); }
    bool is_array() const { return forward_.is_array(); }
    bool is_string() const { return forward_.is_string(); }
    bool is_false() const { return forward_.is_false(); }
    bool is_integer() const { return forward_.is_integer(); }
    std::string_view text() const { return forward_.text(); }
    std::string integer() const { return forward_.integer(); }

    Reversed member(std::string_view key) const {
        const auto found = json_->find(key);
        return found == json_->end() ? Reversed() : Reversed(*found);
    }

    template <class Stop>
    void find_member(Stop&& stop) const {
        std::vector<std::pair<std::string, const json*>> members;
        for (const auto& [name, value] : json_->items())
            members.emplace_back(is_object() ? name : "", &value);
        if (is_object())
            std::reverse(members.begin(), members.end());
        for (const auto& [name, value] : members)
            if (stop(std::string_view(name), Reversed(*value)))
                return;
    }

private:
    const json* json_ = nullptr;
    NlohmannView forward_;
};

// --- a second implementation of docs/rules.md: whether a payload is what its type needs

std::string trimmed(const std::string& text) {
    std::string result = text;
    result.erase(0, std::min(result.size(), result.find_first_not_of(white_space)));
    result.erase(result.find_last_not_of(white_space) + 1);
    return result;
}

/// The member of an object; null if there is none.
json at(const json& object, const std::string& key) {
    return object.is_object() && object.contains(key) ? object[key] : json();
}

/// The text of a string, trimmed; empty for anything else.
std::string text_at(const json& object, const std::string& key) {
    const json value = at(object, key);
    return value.is_string() ? trimmed(value.get<std::string>()) : "";
}

bool has_sound_id(const json& object, const std::string& key) {
    const json value = at(object, key);
    return value.is_null() || (value.is_string() && text_at(object, key).size() <= 512);
}

/// Whether reference_id or provider_user_id is sound; they may be integers.
bool has_sound_id_or_number(const json& object, const std::string& key) {
    return at(object, key).is_number_integer() || has_sound_id(object, key);
}

/// The digits of an integer, the text of a string; empty for anything else.
std::string id_or_number_at(const json& object, const std::string& key) {
    const json value = at(object, key);
    return value.is_number_integer() ? value.dump() : text_at(object, key);
}

bool names_user(const json& user) {
    return user.is_object() && !text_at(user, "user_id").empty() && has_sound_id(user, "user_id") &&
           has_sound_id(user, "provider") && has_sound_id_or_number(user, "reference_id");
}

bool is_sound_old_user(const json& old_user, const json& new_user) {
    if (old_user.is_null())
        return true;
    const std::string user_id = text_at(old_user, "user_id");
    if (old_user.is_object() && has_sound_id(old_user, "user_id") &&
        (user_id.empty() || user_id == text_at(new_user, "user_id")))
        return true;
    return names_user(old_user);
}

/// The member `athlete`; if it is an array, the first object in it.
json athlete_of(const json& payload) {
    const json athlete = at(payload, "athlete");
    if (!athlete.is_array())
        return athlete;
    const auto first = std::find_if(athlete.begin(), athlete.end(), [](const json& one) { return one.is_object(); });
    return first == athlete.end() ? json() : *first;
}

/// The values that may hold the account, in the order in which they are searched.
std::vector<json> account_holders(const json& payload) {
    std::vector<json> holders{athlete_of(payload)};
    const json data = at(payload, "data");
    if (data.is_array())
        holders.insert(holders.end(), data.begin(), data.end());
    else
        holders.push_back(data);
    return holders;
}

bool has_sound_account(const json& payload) {
    for (const json& holder : account_holders(payload)) {
        if (!has_sound_id_or_number(holder, "provider_user_id"))
            return false;
        if (!id_or_number_at(holder, "provider_user_id").empty())
            return true; // the search ends here
    }
    return true;
}

/// The account of a sound athlete event; empty if it has none.
std::string account_of(const json& payload) {
    for (const json& holder : account_holders(payload))
        if (const std::string account = id_or_number_at(holder, "provider_user_id"); !account.empty())
            return account;
    return "";
}

bool is_sound(const json& payload) {
    if (!payload.is_object())
        return false;
    const json user = at(payload, "user");
    std::string type = text_at(payload, "type");
    if (type.empty() && (at(payload, "type").is_null() || at(payload, "type").is_string()) &&
        athlete_of(payload).is_object() && user.is_object())
        type = "athlete";
    if (type.empty())
        return false;
    if (user.is_null() && !needs_user(type))
        return true;
    if (!has_sound_id_or_number(payload, "reference_id"))
        return false;
    if (type == "user_reauth")
        return names_user(at(payload, "new_user")) &&
               is_sound_old_user(at(payload, "old_user"), at(payload, "new_user"));
    const std::string status = text_at(payload, "status");
    return names_user(user) && (type != "auth" || status == "success" || status == "error") &&
           (type != "athlete" || has_sound_account(payload));
}

// --- the event that is read

void check_id(const std::optional<std::string>& id) {
    promise(!id || !id->empty(), "an id is not empty");
    promise(!id || id->size() <= 512, "an id has at most 512 bytes");
    promise(!id || trimmed(*id) == *id, "an id is trimmed");
}

void check_user(const std::optional<UserObject>& user, const json& object, const json& payload, Micros received_at) {
    if (!user)
        return;
    check_id(user->user_id);
    promise(user->user_id == text_at(object, "user_id"), "the user_id is that of the object");
    check_id(user->provider);
    for (const char c : user->provider.value_or(""))
        promise(c < 'a' || c > 'z', "a provider is in upper case");
    const std::string own = id_or_number_at(object, "reference_id");
    check_id(user->reference_id);
    promise(user->reference_id.value_or("") == (own.empty() ? id_or_number_at(payload, "reference_id") : own),
            "the reference_id is the object's, else the payload's");
    promise(user->scopes.value_or("") == text_at(object, "scopes"), "scopes are trimmed");
    promise(!user->created_at || (*user->created_at >= year_2015 && *user->created_at <= received_at + micros_per_day),
            "created_at is believed");
    if (!user->created_at || *user->created_at >= year_10000)
        return;
    const std::string written = format_iso8601(*user->created_at), sent = text_at(object, "created_at");
    promise(parse_iso8601(written) == user->created_at, "created_at is read as it is written");
    if (sent.find_first_of("+-", std::string_view("2026-01-01").size()) == std::string::npos)
        promise(written.substr(0, 10) == sent.substr(0, 10) && written.substr(11, 5) == sent.substr(11, 5),
                "without a zone created_at is in UTC", sent);
}

void check_kind(const Event& event, const json& payload) {
    using enum EventKind;
    promise(event.kind == nothing || event.user, "who says something names a user");
    promise(event.kind == nothing || event.kind == kind_of_type(event.type) ||
                (event.kind == auth_failure && event.type == "auth"),
            "the kind is that of the type");
    promise(event.kind != auth_success || text_at(payload, "status") == "success", "a success says so");
    promise(event.kind != auth_failure || text_at(payload, "status") == "error", "a failure says so");
    if (!event.problem.empty()) {
        promise(event.kind == nothing, "an event with a problem says nothing");
    } else {
        promise(!event.type.empty() && trimmed(event.type) == event.type, "an event without a problem has a type");
        promise(event.kind != nothing || (!event.user && !needs_user(event.type)),
                "only who needs no user says nothing");
        promise(!event.old_user || (event.kind == user_reauth && event.old_user->user_id != event.user->user_id),
                "only a user_reauth has an old_user, who is another");
        promise(event.provider_user_id.value_or("") == (event.kind == athlete ? account_of(payload) : ""),
                "an athlete event has the account of rules.md, and no other has one");
        check_id(event.provider_user_id);
    }
}

void check_contributions(const Event& event) {
    const std::vector<Contribution> contributions = contributions_of(event);
    const std::size_t named = event.kind == EventKind::nothing ? 0 : event.old_user ? 2 : 1;
    promise(contributions.size() == named, "an event says something about the connections that it names");
    const std::optional<Reauth> reauth = reauth_of(event);
    promise(reauth.has_value() == (named == 2), "a user_reauth that names two is a link");
    if (reauth) {
        const auto &from = event.old_user->reference_id, &to = event.user->reference_id;
        promise(reauth->transfer == (from && to && from != to), "a user_reauth that names two people is a transfer");
    }
    for (const Contribution& contribution : contributions) {
        const Facts& facts = contribution.facts;
        promise(facts.first_seen_at == event.time, "a connection is seen when it is named");
        promise(facts.absorbs(facts), "facts absorb themselves");
        Facts merged = facts;
        merged.merge(facts);
        promise(merged == facts, "merging is idempotent");
        Facts from_nothing;
        from_nothing.merge(facts);
        promise(from_nothing == facts, "nothing is neutral");
        Facts other_way = contributions.front().facts;
        merged.merge(contributions.front().facts);
        other_way.merge(facts);
        promise(merged == other_way, "merging is commutative");
        promise(merged.absorbs(facts), "merged facts absorb either");
    }
}

void check(const Event& event, const json& payload, const Headers& headers, Micros received_at) {
    promise(event.ordering == headers.ordering, "the ordering timestamp is that of the headers");
    promise(event.time == headers.ordering.value_or(received_at),
            "the event time is the ordering timestamp's, else receipt's");
    promise(event.problem.empty() == (headers.problem.empty() && is_sound(payload)), "problems are those of rules.md",
            event.problem);
    promise(headers.problem.empty() || event.problem == headers.problem, "the first problem is told");
    check_kind(event, payload);
    const bool is_reauth = event.type == "user_reauth";
    if (event.problem.empty()) {
        check_user(event.user, at(payload, is_reauth ? "new_user" : "user"), payload, received_at);
        check_user(event.old_user, at(payload, "old_user"), payload, received_at);
    }
    check_contributions(event);
}

// --- the same delivery written differently

/// Applies a change to every object that the reader uses, with the names that the reader looks up in it.
template <class Change>
void change_objects(json& payload, const Change& change) {
    if (!payload.is_object())
        return;
    for (const char* name : {"user", "new_user", "old_user"})
        if (payload.contains(name) && payload[name].is_object())
            change(payload[name], {"user_id", "provider", "reference_id", "scopes", "created_at"});
    for (const char* name : {"athlete", "data"})
        if (payload.contains(name) && payload[name].is_object())
            change(payload[name], {"provider_user_id"});
        else if (payload.contains(name) && payload[name].is_array())
            for (json& element : payload[name])
                if (element.is_object())
                    change(element, {"provider_user_id"});
    change(payload, {"type", "status", "reference_id", "user", "new_user", "old_user", "athlete", "data"});
}

using Names = std::vector<std::string>;

void add_unknown_members(json& object, const Names& names) {
    for (const std::string& name : names)
        for (const std::string& unknown : {upper(name), name + " ", name + '\0', "." + name})
            object.emplace(unknown, "unknown");
    object.emplace("", json::object());
    object.emplace("active", false);
}

void add_nulls(json& object, const Names& names) {
    for (const std::string& name : names)
        object.emplace(name, json());
}

void add_white_space(json& object, const Names& names) {
    for (const std::string& name : names)
        if (object.contains(name) && object[name].is_string())
            object[name] = "\v \t" + object[name].get<std::string>() + "\r\n\f";
}

void lower_provider(json& object, const Names& names) {
    if (names.front() != "user_id" || !object.contains("provider") || !object["provider"].is_string())
        return;
    for (char& c : object["provider"].get_ref<std::string&>())
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

void check_other_words(const Event& event, const json& payload, const Headers& headers) {
    for (const auto& [what, change] :
         {std::pair("the same with members that the rules do not name", &add_unknown_members),
          std::pair("an absent member is null", &add_nulls),
          std::pair("the same with white space around it", &add_white_space),
          std::pair("the case of a provider does not matter", &lower_provider)}) {
        json changed = payload;
        change_objects(changed, change);
        promise(read_event(NlohmannView(changed), headers, epoch) == event, what, changed.dump());
    }
    promise(read_event(NlohmannView(json::parse(payload.dump())), headers, epoch) == event, "the same when sent on");
    promise(read_event(Reversed(payload), headers, epoch) == event, "the order of members does not matter");
}

void check_envelope(const json& payload, const json& headers, Micros received_at) {
    const std::string text = envelope_of(NlohmannView(payload));
    const std::optional<std::string> headers_text = envelope_of_headers(NlohmannView(headers), received_at);
    const json envelope = json::parse(text);
    const json headers_envelope = headers_text ? json::parse(*headers_text) : json();
    const auto event_of = [received_at](const json& body, const json& with) {
        return read_event(NlohmannView(body), read_headers(NlohmannView(with), received_at), received_at);
    };
    promise(event_of(envelope, headers_envelope) == event_of(payload, headers), "an envelope is the same event", text);
    promise(envelope_of(NlohmannView(envelope)) == text, "an envelope is its own envelope", text);
    promise(envelope_of_headers(NlohmannView(headers_envelope), received_at) == headers_text,
            "an envelope of headers is its own envelope");
}

// --- headers

/// The members by their names in lower case; empty if two names are equal.
std::map<std::string, json> by_lower_name(const json& headers) {
    std::map<std::string, json> result;
    for (const auto& [name, value] : headers.items()) {
        std::string lower = name;
        for (char& c : lower)
            c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        if (!result.emplace(lower, value).second)
            return {};
    }
    return result;
}

void check(const Headers& headers, Micros received_at) {
    check_id(headers.trace_id);
    check_id(headers.dev_id);
    promise(!headers.ordering || *headers.ordering % 1000 == 0, "an ordering timestamp is in milliseconds");
    promise(!headers.ordering || (*headers.ordering >= year_2015 && *headers.ordering <= received_at + micros_per_day),
            "an ordering timestamp is believed");
}

/// The text of a header, of an array that of its first element; empty if it is no string.
std::string header_at(const std::map<std::string, json>& members, const std::string& name) {
    const auto found = members.find(name);
    if (found == members.end())
        return "";
    const json& value = found->second;
    return text_at({{"first", value.is_array() ? (value.empty() ? json() : value.front()) : value}}, "first");
}

void check_other_words(const Headers& read, const json& headers) {
    const std::map<std::string, json> members = by_lower_name(headers);
    if (!headers.is_object() || members.empty())
        return;
    json upper_case, in_arrays, with_others = headers;
    for (const auto& [name, value] : members) {
        upper_case[upper(name)] = value;
        in_arrays[name] = value.is_array() ? value : json{value, "another"};
        with_others[name + " "] = "another";
        with_others["-" + name] = 1;
    }
    for (const auto& [what, same] : {std::pair("the case of names does not matter", &upper_case),
                                     std::pair("of an array the first counts", &in_arrays),
                                     std::pair("other headers do not matter", &with_others)})
        promise(read_headers(NlohmannView(*same), epoch) == read, what, same->dump());
    promise(read_headers(Reversed(headers), epoch) == read, "the order of headers does not matter");

    const std::string trace_id = header_at(members, "x-terra-trace-id"), dev_id = header_at(members, "dev-id");
    promise(read.problem.empty() == (trace_id.size() <= 512 && dev_id.size() <= 512), "an over-long id is a problem");
    promise(read.trace_id.value_or("") == (trace_id.size() <= 512 ? trace_id : ""),
            "the trace id is that of the header");
    promise(read.dev_id.value_or("") == (dev_id.size() <= 512 ? dev_id : ""), "the dev_id is that of the header");
}

json parse(std::string_view text) {
    bool too_deep = false;
    const auto look = [&too_deep](int depth, json::parse_event_t, const json&) {
        too_deep = too_deep || depth > deepest;
        return true;
    };
    const json parsed = json::parse(text, look, false);
    return too_deep ? json(json::value_t::discarded) : parsed;
}

void run(std::string_view input) {
    const std::size_t end = std::min(input.find('\0'), input.size());
    const json payload = parse(input.substr(0, end));
    const json sent = end < input.size() ? parse(input.substr(end + 1)) : json();
    if (payload.is_discarded() || sent.is_discarded())
        return;
    const Headers headers = read_headers(NlohmannView(sent), epoch);
    check_other_words(headers, sent);
    check_other_words(read_event(NlohmannView(payload), headers, epoch), payload, headers);
    for (const Micros received_at : {Micros(0), epoch, last_received_at}) {
        const Headers then = read_headers(NlohmannView(sent), received_at);
        check(then, received_at);
        check(read_event(NlohmannView(payload), then, received_at), payload, then, received_at);
        check_envelope(payload, sent, received_at);
    }
}

} // namespace
} // namespace terra_identity::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    terra_identity::fuzz::run({reinterpret_cast<const char*>(data), size});
    return 0;
}
