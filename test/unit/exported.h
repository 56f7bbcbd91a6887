// Sets of events with the states that they lead to, as JSON, a line for each: test/model compares these states with its
// own (core_states.py). A line is an object:
//   name
//   events: payload, headers, received_at (microseconds since 1970), entered (correct() or import_users() inserted it)
//   sdk_providers, unusable_providers
//   states: for one policy or for both, "keep" and "replace", for each user_id: status, successor_user_id, ended_at,
//       connected_at, provider_user_id, duplicate, lineage (the least user_id of it) and resolved
#pragma once

#include "brute_force.h"
#include "deliveries.h"
#include "history.h"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace terra_identity::test {

/// The line, with the states under each of these rules, which differ by their policy alone.
nlohmann::json exported(const std::string& name, const std::vector<Delivery>& deliveries,
                        const std::vector<Rules>& rules);

/// Appends a line to the file that the environment variable TEST_EXPORT names, if there is one, for every so many
/// seeds.
void export_one_in(std::uint64_t seeds, std::uint64_t seed, const History& history, const Rules& rules);

} // namespace terra_identity::test
