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
