// Reads any JSON as a list of Terra's users. Every user of a list is read once, in order, and says what docs/rules.md,
// "Imports", has it say; an array of lists is their union; a user says the same alone and in an answer of any shape.
//
// Input: JSON.
#include "promise.h"

#include "core/facts.h"
#include "core/import.h"
#include "core/user_list.h"

#include <string_view>

namespace terra_identity::fuzz {
namespace {

using nlohmann::json;

constexpr Micros taken_at = 1'767'225'600 * micros_per_second; // 2026-01-01 00:00 UTC
constexpr int deepest = 64;                                    // copying and writing JSON is recursive

int depth_of(const json& value) {
    int depth = 0;
    for (const json& child : value)
        if (child.is_structured())
            depth = std::max(depth, depth_of(child));
    return depth + 1;
}

std::vector<Event> events_of(const UserList<NlohmannView>& list) {
    std::vector<Event> events;
    for (const auto& [user, is_authenticated] : list.users())
        events.push_back(EventReader<NlohmannView>(user, taken_at).read_listed(user, is_authenticated));
    return events;
}

std::vector<Event> events_of(const json& list) { return events_of(UserList<NlohmannView>(NlohmannView(list))); }

/// What rules.md says of a user that can be read.
EventKind expected_kind(const json& user, bool is_authenticated) {
    using enum EventKind;
    const auto text = [](const json& object, const char* key) -> std::string {
        if (!object.contains(key) || !object[key].is_string())
            return "";
        const std::string value = object[key];
        const std::size_t first = value.find_first_not_of(" \t\n\r\v\f");
        return first == std::string::npos ? "" : value.substr(first, value.find_last_not_of(" \t\n\r\v\f") - first + 1);
    };
    const std::string state = text(user, "state");
    if (state == "deauth" || state == "user_reauth")
        return imported_deauthenticated;
    if (state == "access_revoked")
        return imported_revoked;
    if (!state.empty())
        return state == "active" ? imported_alive : imported_listed;
    return !is_authenticated || (user.contains("active") && user["active"] == false) ? imported_listed : imported_alive;
}

void check(const Event& event) {
    promise(event.type == import_type && event.time == taken_at && !event.ordering, "an import is of the list's time");
    promise(!event.old_user && !event.other_user_id && !event.provider_user_id, "an import names one connection");
    promise(event.problem.empty() == (event.kind != EventKind::nothing), "what cannot be read says nothing");
    promise(contributions_of(event).size() == (event.problem.empty() ? 1 : 0), "an import is about one connection");
    promise(import_trace_id(event).starts_with(" import 2026-01-01T00:00:00Z"), "no header can have its trace id");
    for (const Contribution& contribution : contributions_of(event)) {
        const Facts& facts = contribution.facts;
        promise(facts.confirmed && facts.first_seen_at == taken_at, "an import confirms, and is a sight");
        promise(!(facts.alive_at && facts.last_end()), "no user is alive and has ended");
        promise(!facts.alive_at || facts.alive_at == taken_at, "it was alive when the list was taken");
        promise(facts.live == !facts.last_end(), "what has not ended is live");
    }
}

/// Whether it stands for itself in a list, and is no answer that contains users.
bool is_user(const json& value) {
    return value.is_object() && value.contains("user_id") && !value["user_id"].is_null();
}

void check_shapes(const json& user) {
    const std::vector<Event> alone = events_of(user);
    promise(alone.size() == 1, "a user is a list of one");
    if (alone.front().problem.empty())
        promise(alone.front().kind == expected_kind(user, true), "a user says what rules.md has it say");
    for (const json& list :
         {json::array({user}), json{{"users", {user}}}, json{{"data", {{"next", nullptr}, {"results", {user}}}}},
          json{{"user", user}}, json::array({json::array({user})}), json::array({json{{"users", {user}}}})})
        promise(events_of(list) == alone, "a user says the same in every shape", list.dump());
    const std::vector<Event> denied = events_of(json{{"user", user}, {"is_authenticated", false}});
    if (denied.front().problem.empty())
        promise(denied.front().kind == expected_kind(user, false), "who is not authenticated is no proof of life");
    const json payload{{"type", "import"}, {"user", user}};
    promise(read_import(NlohmannView(payload), taken_at) == alone.front(), "the ledger reads what the list said");
    promise(read_event(NlohmannView(payload), Headers{}, taken_at).kind <= EventKind::passing,
            "no webhook is an import");
}

} // namespace

} // namespace terra_identity::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace terra_identity;
    using namespace terra_identity::fuzz;
    const json value = json::parse(data, data + size, nullptr, false);
    if (value.is_discarded() || depth_of(value) > deepest)
        return 0;
    const UserList<NlohmannView> list{NlohmannView(value)};
    promise(list.is_list() || (!value.is_array() && list.users().empty()), "every array is a list");
    const std::vector<Event> events = events_of(list);
    for (const Event& event : events)
        check(event);
    for (const auto& [user, is_authenticated] : list.users())
        promise(is_authenticated.is_null() || !user.is_null(), "an answer about one has a user");
    if (!list.is_list())
        return 0;
    if (value.is_object()) {
        promise(events_of(json::array({value})) == events, "an answer in an array is the answer");
        std::vector<Event> twice = events;
        twice.insert(twice.end(), events.begin(), events.end());
        promise(events_of(json::array({value, value})) == twice, "two answers are both");
    }
    for (const json& element : value)
        if (is_user(element))
            check_shapes(element);
    if (is_user(value))
        check_shapes(value);
    return 0;
}
