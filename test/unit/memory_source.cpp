#include "memory_source.h"

#include "core/entered.h"

#include <algorithm>
#include <set>
#include <string_view>

namespace terra_identity::test {
namespace {

constexpr std::size_t most_reauths = 100; // as of the queries

SomeConnections newest_first(std::vector<Connection> found) {
    std::sort(found.begin(), found.end(), [](const Connection& a, const Connection& b) { return is_older(b, a); });
    const auto count = static_cast<std::int64_t>(found.size());
    return {std::move(found), std::min(count, SomeConnections::most_counted)};
}

} // namespace

MemorySource::MemorySource(World& world)
    : stored_(world.store().stored()),
      reauths_(world.store().stored_reauths().begin(), world.store().stored_reauths().end()), ledger_(world.ledger()) {}

std::vector<Connection> MemorySource::connections(const std::vector<std::string>& user_ids) {
    std::vector<Connection> result;
    for (const std::string& user_id : std::set<std::string>(user_ids.begin(), user_ids.end()))
        if (const auto found = stored_.find(user_id); found != stored_.end())
            result.push_back(found->second);
    return result;
}

std::vector<Reauth> MemorySource::reauths_from(const std::string& user_id) {
    std::vector<Reauth> result = reauths_;
    std::erase_if(result, [&](const Reauth& reauth) { return reauth.old_user_id != user_id; });
    result.resize(std::min(result.size(), most_reauths));
    return result;
}

std::vector<Reauth> MemorySource::reauths_to(const std::string& user_id) {
    std::vector<Reauth> result = reauths_;
    std::erase_if(result, [&](const Reauth& reauth) { return reauth.new_user_id != user_id; });
    result.resize(std::min(result.size(), most_reauths));
    return result;
}

SomeConnections MemorySource::lineage(std::int64_t lineage_id, std::size_t limit) {
    std::vector<Connection> members;
    for (const auto& [user_id, connection] : stored_)
        if (connection.lineage_id == lineage_id)
            members.push_back(connection);
    SomeConnections result = newest_first(std::move(members));
    std::map<Status, std::size_t> counts;
    std::erase_if(result.newest, [&](const Connection& one) { return ++counts[one.status] > limit; });
    return result;
}

SomeConnections MemorySource::active_on(const Account& account, std::size_t limit) {
    std::vector<Connection> active;
    for (const auto& [user_id, connection] : stored_)
        if (connection.status == Status::active && connection.account() == account)
            active.push_back(connection);
    SomeConnections result = newest_first(std::move(active));
    if (result.newest.size() > limit)
        result.newest.resize(limit);
    return result;
}

std::vector<Connection> MemorySource::taken_over_by(const std::string& user_id, std::size_t limit) {
    std::vector<Connection> result;
    for (const auto& [id, connection] : stored_)
        if (connection.account_exclusive && connection.status == Status::superseded &&
            connection.successor_user_id == user_id && result.size() < limit)
            result.push_back(connection);
    return result;
}

SomeEvents MemorySource::identity_events(const std::string& user_id, const std::string& type) {
    SomeEvents result;
    for (std::size_t i = 0; i < ledger_.size() && !hides_events; ++i)
        if (const Event& event = ledger_[i];
            event.type == type && event.problem.empty() && event.user && event.user->user_id == user_id)
            result.events.push_back(
                {.event_id = static_cast<std::int64_t>(i) + 1,
                 .event = event,
                 .entered_by = std::ranges::find(entered_types, type) != entered_types.end() ? corrector : "",
                 .note = type == correction_type ? correction_note : ""});
    std::stable_sort(result.events.begin(), result.events.end(),
                     [](const LedgerEvent& a, const LedgerEvent& b) { return a.event.time < b.event.time; });
    return result;
}

std::vector<std::string> MemorySource::corrected_as_same_person(const std::string& user_id) {
    std::vector<std::string> result;
    for (const auto& [id, connection] : stored_)
        if (const std::string* const named = connection.facts.same_person(); named != nullptr && *named == user_id)
            result.push_back(id);
    return result;
}

std::vector<PassingEvents> MemorySource::passing_events(const std::string& user_id) {
    std::map<std::string, PassingEvents> by_type;
    for (std::size_t i = 0; i < ledger_.size() && !hides_events; ++i) {
        const Event& event = ledger_[i];
        if (event.kind != EventKind::passing || !event.user || event.user->user_id != user_id)
            continue;
        const auto event_id = static_cast<std::int64_t>(i) + 1;
        const auto [found, is_new] =
            by_type.emplace(event.type, PassingEvents{event.type, event.time, event.time, event_id});
        if (is_new)
            continue;
        found->second.first = std::min(found->second.first, event.time);
        if (event.time > found->second.last) {
            found->second.last = event.time;
            found->second.last_event_id = event_id;
        }
    }
    std::vector<PassingEvents> result;
    for (const auto& [type, passing] : by_type)
        result.push_back(passing);
    return result;
}

bool MemorySource::is_degraded(const std::string& user_id) {
    static const std::set<std::string> cures{"activity",        "body",      "daily",
                                             "sleep",           "nutrition", "menstruation",
                                             "planned_workout", "hormone",   "health_observation",
                                             "athlete",         "auth",      "user_reauth"};
    const std::optional<Micros> degraded_at = stored_.at(user_id).facts.degraded_at;
    return degraded_at && std::none_of(ledger_.begin(), ledger_.end(), [&](const Event& event) {
               return event.problem.empty() && event.user && event.user->user_id == user_id &&
                      event.time > *degraded_at && cures.contains(event.type);
           });
}

std::vector<std::string> MemorySource::user_ids_of_reference(const std::string& reference_id) {
    std::vector<std::string> result;
    for (const auto& [user_id, connection] : stored_)
        if (connection.reference_id() == reference_id)
            result.push_back(user_id);
    return result;
}

} // namespace terra_identity::test
