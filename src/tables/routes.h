// Which environment a delivery belongs to (docs/rules.md, "Environment").
#pragma once

#include <optional>
#include <string>

#include "pg/datum.h"

namespace terra_identity::tables {

using namespace pg;

/// The environment that is meant: as given, else the setting. An error if that is no dev_id.
std::string dev_id_or_setting(const NullableValue& given);

/// Where a delivery belongs.
struct Route {
    enum Kind {
        known,    ///< to an environment that is there, or was named
        learning, ///< to the default environment, which learns from it what its deliveries' header says
        making,   ///< to an environment that is yet to be made, named as the header says
    };

    std::string dev_id;
    std::string default_dev_id = {}; ///< the environment that it would be of without a header
    Kind kind = known;
    bool by_header = false; ///< the header leads it away from the default environment
};

/// Where the header dev-id leads from a default environment.
Route look_up_route(const std::string& default_dev_id, const std::string& header);

/// The same from the default environment that the setting names, as this backend remembers it.
/// @param given the dev_id that it was given; null: none
/// @param header what its header dev-id says
Route route_of(const NullableValue& given, const std::optional<std::string>& header);

/// Makes the environment, or has it learn, as the route says. @return whether the route is still the same
bool settle(const Route& route, const std::optional<std::string>& header);

} // namespace terra_identity::tables
