#include "core/event.h"

#include <algorithm>
#include <array>

namespace terra_identity {

EventKind kind_of_type(std::string_view type) {
    for (const auto& [name, kind] : identity_types)
        if (name == type)
            return kind;
    return EventKind::passing;
}

EventKind kind_of_state(std::string_view state) {
    static constexpr std::array<std::pair<std::string_view, EventKind>, 4> states{{
        {"active", EventKind::imported_alive},
        {"deauth", EventKind::imported_deauthenticated},
        {"user_reauth", EventKind::imported_deauthenticated}, // replaced; by which one the state does not tell
        {"access_revoked", EventKind::imported_revoked},
    }};
    for (const auto& [name, kind] : states)
        if (name == state)
            return kind;
    return EventKind::imported_listed;
}

bool needs_user(std::string_view type) {
    static constexpr std::array<std::string_view, 14> passing_types{"activity",
                                                                    "body",
                                                                    "daily",
                                                                    "sleep",
                                                                    "nutrition",
                                                                    "menstruation",
                                                                    "planned_workout",
                                                                    "hormone",
                                                                    "health_observation",
                                                                    "google_no_datasource",
                                                                    "large_request_processing",
                                                                    "large_request_sending",
                                                                    "processing",
                                                                    "rate_limit_hit"};
    return is_identity(kind_of_type(type)) ||
           std::find(passing_types.begin(), passing_types.end(), type) != passing_types.end();
}

} // namespace terra_identity
