#include "core/facts.h"

#include "core/connection_columns.h"

#include <algorithm>
#include <utility>

namespace terra_identity {
namespace {

void keep_min(std::optional<Micros>& mine, const std::optional<Micros>& other) {
    if (other && (!mine || *other < *mine))
        mine = other;
}

void keep_max(std::optional<Micros>& mine, const std::optional<Micros>& other) {
    if (other && (!mine || *other > *mine))
        mine = other;
}

/// A value that an event writes.
struct Writing {
    const std::string& value;
    Micros at;
    bool passing;
};

/// Whether `a` wins over `b`: an identity event over a passing one, of two identity events the later, of two passing
/// events the earlier. At equal times the value decides.
bool wins(const Writing& a, const Written& b) {
    if (a.passing != b.passing)
        return b.passing;
    if (a.at != b.at)
        return (a.at > b.at) != a.passing;
    const int order = a.value.compare(b.value);
    return a.passing ? order < 0 : order > 0;
}

void keep_winner(Register& mine, const Writing& other) {
    if (!mine)
        mine.emplace();
    else if (!wins(other, *mine))
        return;
    mine->value = other.value;
    mine->at = other.at;
    mine->passing = other.passing;
}

Writing writing_of(const Written& written) { return {written.value, written.at, written.passing}; }

/// Whether keep_min (keep_max, keep_winner) of the two would leave `mine` as it is.
bool covers_min(const std::optional<Micros>& mine, const std::optional<Micros>& other) {
    return !other || (mine && *mine <= *other);
}

bool covers_max(const std::optional<Micros>& mine, const std::optional<Micros>& other) {
    return !other || (mine && *mine >= *other);
}

bool covers_winner(const Register& mine, const Register& other) {
    return !other || (mine && !wins(writing_of(*other), *mine));
}

} // namespace

void keep_winner(Register& mine, const Register& other) {
    if (other)
        keep_winner(mine, writing_of(*other));
}

void Facts::add_object(const UserObject& object, const Event& event) {
    const bool passing = event.kind == EventKind::passing;
    const auto write = [&](Register& mine, const std::optional<std::string>& value) {
        if (value)
            keep_winner(mine, {*value, event.time, passing});
    };
    keep_min(created_at, object.created_at);
    keep_min(first_seen_at, event.time);
    write(provider, object.provider);
    write(reference_id, object.reference_id);
    write(scopes, object.scopes);
}

void Facts::add_old_user(const Event& event) {
    add_object(*event.old_user, event);
    keep_winner(replaced, {event.user->user_id, event.time, false});
}

void Facts::add_other(const Event& event) { keep_min(first_seen_at, event.time); }

void Facts::add_user(const Event& event) {
    add_object(*event.user, event);
    switch (event.kind) {
    case EventKind::nothing: // never
        break;               // never
    case EventKind::auth_success:
    case EventKind::user_reauth:
        live = true;
        confirmed = true;
        keep_max(alive_at, event.ordering ? event.ordering : event.user->created_at);
        break;
    case EventKind::auth_failure:
        keep_max(failed_at, event.time);
        break;
    case EventKind::deauth:
        keep_max(deauthenticated_at, event.time);
        break;
    case EventKind::access_revoked:
        keep_max(revoked_at, event.time);
        break;
    case EventKind::athlete:
        live = true;
        if (event.provider_user_id)
            keep_winner(provider_user_id, {*event.provider_user_id, event.time, false});
        break;
    case EventKind::connection_error:
        live = true;
        keep_max(degraded_at, event.time);
        break;
    case EventKind::permission_change:
    case EventKind::passing:
        live = true;
        break;
    case EventKind::imported_alive:
        live = true;
        confirmed = true;
        keep_max(alive_at, event.time);
        break;
    case EventKind::imported_listed:
        live = true;
        confirmed = true;
        break;
    case EventKind::imported_deauthenticated:
        confirmed = true;
        keep_max(deauthenticated_at, event.time);
        break;
    case EventKind::imported_revoked:
        confirmed = true;
        keep_max(revoked_at, event.time);
        break;
    case EventKind::corrected_active:
        live = true;
        keep_max(alive_at, event.time);
        break;
    case EventKind::corrected_ended:
        keep_max(deauthenticated_at, event.time);
        break;
    case EventKind::corrected_same_person:
        keep_winner(same_person_as, {*event.other_user_id, event.time, false});
        break;
    case EventKind::corrected_not_same_person:
        keep_winner(same_person_as, {std::string(), event.time, false});
        break;
    }
}

void Facts::merge(const Facts& other) {
    for_each_connection_column(ByKind{
        [&](const column::Least& least, int) { keep_min(this->*least.fact, other.*least.fact); },
        [&](const column::Greatest& greatest, int) { keep_max(this->*greatest.fact, other.*greatest.fact); },
        [&](const column::Any& any, int) { this->*any.fact = this->*any.fact || other.*any.fact; },
        [&](const column::Value& value, int) { keep_winner(this->*value.fact, other.*value.fact); },
        [](const auto&, int) {},
    });
}

bool Facts::absorbs(const Facts& other) const {
    bool result = true;
    const auto require = [&result](bool covered) { result = result && covered; };
    for_each_connection_column(ByKind{
        [&](const column::Least& least, int) { require(covers_min(this->*least.fact, other.*least.fact)); },
        [&](const column::Greatest& greatest, int) { require(covers_max(this->*greatest.fact, other.*greatest.fact)); },
        [&](const column::Any& any, int) { require(this->*any.fact || !(other.*any.fact)); },
        [&](const column::Value& value, int) { require(covers_winner(this->*value.fact, other.*value.fact)); },
        [](const auto&, int) {},
    });
    return result;
}

bool disputes(const Register& stored, const Register& passing) {
    return stored && !stored->passing && passing && passing->value != stored->value && passing->at > stored->at;
}

bool Settled::absorbs(const Facts& passing) const {
    return covers_min(created_at, passing.created_at) && covers_min(first_seen_at, passing.first_seen_at);
}

std::optional<Settled> settled(const Facts& facts) {
    const auto said = [](const Register& written) { return written && !written->passing; };
    if (!facts.live || !facts.first_seen_at || !said(facts.provider) || !said(facts.reference_id) ||
        !said(facts.scopes))
        return std::nullopt;
    return Settled{*facts.first_seen_at, facts.created_at, facts.reference_id};
}

std::optional<Micros> Facts::last_end() const {
    std::optional<Micros> end = replaced ? std::optional(replaced->at) : std::nullopt;
    keep_max(end, deauthenticated_at);
    keep_max(end, revoked_at);
    keep_max(end, failed_at);
    return end;
}

bool Facts::ended() const {
    const std::optional<Micros> end = last_end();
    return end && !(alive_at && *alive_at > *end);
}

std::vector<Contribution> contributions_of(const Event& event) {
    std::vector<Contribution> result;
    if (event.kind == EventKind::nothing)
        return result;
    if (event.old_user) {
        result.push_back({event.old_user->user_id, {}});
        result.back().facts.add_old_user(event);
    }
    result.push_back({event.user->user_id, {}});
    result.back().facts.add_user(event);
    if (event.other_user_id) {
        result.push_back({*event.other_user_id, {}});
        result.back().facts.add_other(event);
    }
    return result;
}

bool is_transfer(const Event& event) {
    const auto &from = event.old_user->reference_id, &to = event.user->reference_id;
    return from && to && *from != *to;
}

std::optional<Reauth> reauth_of(const Event& event) {
    if (event.kind != EventKind::user_reauth || !event.old_user)
        return std::nullopt;
    return Reauth{event.old_user->user_id, event.user->user_id, is_transfer(event)};
}

} // namespace terra_identity
