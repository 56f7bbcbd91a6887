// Routes: which environment a delivery belongs to (docs/rules.md, "Environment").
#pragma once

#include <optional>
#include <string>

#include "pg/datum.h"

namespace terra_identity::tables {

using namespace pg;

/// The environment: as given, else that of the setting `terra_identity.dev_id`. Raises an error if it is no valid
/// dev_id.
std::string dev_id_or_setting(const NullableValue& given);

/// The environment that an argument `dev_id` names, whose SQL default is the setting. Raises an error if it is null or
/// no valid dev_id.
std::string dev_id_argument(const NullableValue& given);

/// The environment that a delivery belongs to, and why.
struct Route {
    enum Kind {
        known,    ///< an environment that exists, or that the caller named
        learning, ///< the default environment, whose `terra_dev_id` becomes the header
        making,   ///< a new environment, with the name in the header
    };

    std::string dev_id;
    std::string default_dev_id = {}; ///< the environment that it would belong to without a header
    Kind kind = known;
    bool by_header = false; ///< the header leads to another environment than the default one
};

/// Looks up where the header dev-id leads from a default environment.
Route look_up_route(const std::string& default_dev_id, const std::string& header);

/// The route of a delivery, which this backend remembers.
/// @param given the dev_id that the caller gave; null: none
/// @param header the header dev-id of the delivery
Route route_of(const NullableValue& given, const std::optional<std::string>& header);

/// Creates the environment, or sets its `terra_dev_id`, if the route needs it. @return whether the route was still
/// valid; if not, nothing was written
bool settle(const Route& route, const std::optional<std::string>& header);

} // namespace terra_identity::tables
