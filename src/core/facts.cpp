#include "core/facts.h"

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

/// Whether `a` wins over `b`: an identity event over a passing one, the later identity event, the earlier passing one.
bool wins(const Written& a, const Written& b) {
    if (a.passing != b.passing)
        return b.passing;
    if (a.at != b.at)
        return (a.at > b.at) != a.passing;
    const int order = a.value.compare(b.value);
    return a.passing ? order < 0 : order > 0;
}

void keep_winner(Register& mine, const Register& other) {
    if (other && (!mine || wins(*other, *mine)))
        mine = other;
}

/// Whether keeping the min (max, winner) of the two would leave `mine` as it is.
bool covers_min(const std::optional<Micros>& mine, const std::optional<Micros>& other) {
    return !other || (mine && *mine <= *other);
}

bool covers_max(const std::optional<Micros>& mine, const std::optional<Micros>& other) {
    return !other || (mine && *mine >= *other);
}

bool covers_winner(const Register& mine, const Register& other) { return !other || (mine && !wins(*other, *mine)); }

/// What any user object says about its connection.
Contribution contribution_of(const UserObject& user, const Event& event) {
    const bool passing = event.kind == EventKind::passing;
    const auto written = [&](const std::optional<std::string>& value) {
        return value ? Register(Written{*value, event.time, passing}) : std::nullopt;
    };
    Contribution result;
    result.user_id = user.user_id;
    result.facts.created_at = user.created_at;
    result.facts.first_seen_at = event.time;
    result.facts.provider = written(user.provider);
    result.facts.reference_id = written(user.reference_id);
    result.facts.scopes = written(user.scopes);
    return result;
}

/// An `auth` success, or being the new user of a `user_reauth`.
void add_connection(Facts& facts, const UserObject& user, const Event& event) {
    facts.live = true;
    facts.confirmed = true;
    facts.alive_at = event.ordering ? event.ordering : user.created_at;
}

/// What the event says about the connection of `event.user`.
void add_kind(Facts& facts, const Event& event) {
    switch (event.kind) {
    case EventKind::nothing:
        break;
    case EventKind::auth_success:
    case EventKind::user_reauth:
        add_connection(facts, *event.user, event);
        break;
    case EventKind::auth_failure:
        facts.failed_at = event.time;
        break;
    case EventKind::deauth:
        facts.deauthenticated_at = event.time;
        break;
    case EventKind::access_revoked:
        facts.revoked_at = event.time;
        break;
    case EventKind::athlete:
        facts.live = true;
        if (event.provider_user_id)
            facts.provider_user_id = Written{*event.provider_user_id, event.time, false};
        break;
    case EventKind::connection_error:
        facts.live = true;
        facts.degraded_at = event.time;
        break;
    case EventKind::permission_change:
    case EventKind::passing:
        facts.live = true;
        break;
    }
}

} // namespace

void Facts::merge(const Facts& other) {
    keep_min(created_at, other.created_at);
    keep_min(first_seen_at, other.first_seen_at);
    live = live || other.live;
    confirmed = confirmed || other.confirmed;
    keep_max(alive_at, other.alive_at);
    keep_winner(replaced, other.replaced);
    keep_max(deauthenticated_at, other.deauthenticated_at);
    keep_max(revoked_at, other.revoked_at);
    keep_max(failed_at, other.failed_at);
    keep_max(degraded_at, other.degraded_at);
    keep_winner(provider, other.provider);
    keep_winner(reference_id, other.reference_id);
    keep_winner(scopes, other.scopes);
    keep_winner(provider_user_id, other.provider_user_id);
}

bool Facts::absorbs(const Facts& other) const {
    return covers_min(created_at, other.created_at) && covers_min(first_seen_at, other.first_seen_at) &&
           (live || !other.live) && (confirmed || !other.confirmed) && covers_max(alive_at, other.alive_at) &&
           covers_winner(replaced, other.replaced) && covers_max(deauthenticated_at, other.deauthenticated_at) &&
           covers_max(revoked_at, other.revoked_at) && covers_max(failed_at, other.failed_at) &&
           covers_max(degraded_at, other.degraded_at) && covers_winner(provider, other.provider) &&
           covers_winner(reference_id, other.reference_id) && covers_winner(scopes, other.scopes) &&
           covers_winner(provider_user_id, other.provider_user_id);
}

bool Settled::absorbs(const Facts& passing) const {
    return covers_min(created_at, passing.created_at) && covers_min(first_seen_at, passing.first_seen_at);
}

std::optional<Settled> settled(const Facts& facts) {
    const auto said = [](const Register& written) { return written && !written->passing; };
    if (!facts.live || !facts.first_seen_at || !said(facts.provider) || !said(facts.reference_id) ||
        !said(facts.scopes))
        return std::nullopt;
    return Settled{*facts.first_seen_at, facts.created_at};
}

bool Facts::ended() const {
    std::optional<Micros> end = replaced ? std::optional(replaced->at) : std::nullopt;
    keep_max(end, deauthenticated_at);
    keep_max(end, revoked_at);
    keep_max(end, failed_at);
    return end && !(alive_at && *alive_at > *end);
}

std::vector<Contribution> contributions_of(const Event& event) {
    std::vector<Contribution> result;
    if (event.kind == EventKind::nothing)
        return result;
    if (event.old_user) {
        result.push_back(contribution_of(*event.old_user, event));
        result.back().facts.replaced = Written{event.user->user_id, event.time, false};
    }
    result.push_back(contribution_of(*event.user, event));
    add_kind(result.back().facts, event);
    return result;
}

std::optional<Reauth> reauth_of(const Event& event) {
    if (event.kind != EventKind::user_reauth || !event.old_user)
        return std::nullopt;
    return Reauth{event.old_user->user_id, event.user->user_id};
}

} // namespace terra_identity
