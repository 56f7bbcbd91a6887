#include "core/minimal_payload.h"

#include "core/correction.h"

namespace terra_identity {
namespace {

JsonTree json_of(const UserObject& user) {
    JsonTree result{{"user_id", user.user_id}};
    if (user.provider)
        result["provider"] = *user.provider;
    if (user.reference_id)
        result["reference_id"] = *user.reference_id;
    if (user.scopes)
        result["scopes"] = *user.scopes;
    if (user.created_at)
        result["created_at"] = format_iso8601(*user.created_at);
    return result;
}

JsonTree correction_of(const Event& event) {
    JsonTree result;
    for (const auto& [word, kind] : correction_words)
        if (kind == event.kind)
            result["what"] = word;
    if (event.other_user_id)
        result["other_user_id"] = *event.other_user_id;
    return result;
}

} // namespace

JsonTree minimal_payload(const Event& event) {
    JsonTree payload{{"type", event.type}};
    JsonTree user = json_of(*event.user);
    switch (event.kind) {
    case EventKind::auth_success:
        payload["status"] = "success";
        break;
    case EventKind::auth_failure:
        payload["status"] = "error";
        break;
    case EventKind::user_reauth:
        payload["new_user"] = std::move(user);
        if (event.old_user)
            payload["old_user"] = json_of(*event.old_user);
        return payload;
    case EventKind::athlete:
        if (event.provider_user_id)
            payload["athlete"] = {{"provider_user_id", *event.provider_user_id}};
        break;
    case EventKind::corrected_active:
    case EventKind::corrected_ended:
    case EventKind::corrected_same_person:
    case EventKind::corrected_not_same_person:
        payload["correction"] = correction_of(event);
        break;
    case EventKind::imported_listed:
        user["active"] = false;
        break;
    case EventKind::imported_deauthenticated:
        user["state"] = "deauth";
        break;
    case EventKind::imported_revoked:
        user["state"] = "access_revoked";
        break;
    default:
        break;
    }
    payload["user"] = std::move(user);
    return payload;
}

JsonTree minimal_headers(const Event& event) {
    if (!event.ordering)
        return {};
    return {{"X-Terra-Ordering-Timestamp", std::to_string(*event.ordering / 1000)}};
}

} // namespace terra_identity
