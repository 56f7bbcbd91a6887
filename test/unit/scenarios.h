// Scenarios: a few events and the state that they must lead to, in any order and with any repetition. The tables are in
// scenarios_of_*.cpp, by topic; scenarios_test.cpp plays them, explanation_test.cpp explains what they lead to.
#pragma once

#include "deliveries.h"

#include <optional>
#include <string>
#include <vector>

namespace terra_identity::test {

struct Outcome {
    /// `user_id:status`, and `>successor` if there is one, in the order of user_ids: "a:replaced>b b:active".
    std::string statuses;
    /// What each of these user_ids resolves to, in the same order, `-` for null: "b b".
    std::string resolved;
    /// How many connections are duplicates.
    int duplicates = 0;
    /// The user_ids of each lineage: "a b|c".
    std::string lineages;

    bool operator==(const Outcome&) const = default;
};

struct Scenario {
    std::string name;
    std::vector<Delivery> deliveries;
    Outcome keep;
    std::optional<Outcome> replace = std::nullopt; ///< null: the same under either policy
};

std::vector<Scenario> scenarios_of_one_connection();
std::vector<Scenario> scenarios_of_reauths();
std::vector<Scenario> scenarios_of_transfers();
std::vector<Scenario> scenarios_of_shared_accounts();
std::vector<Scenario> scenarios_of_changed_facts();
std::vector<Scenario> scenarios_of_corrections();
std::vector<Scenario> scenarios_of_imports();
std::vector<Scenario> scenarios_of_stories();

/// Of all topics.
std::vector<Scenario> all_scenarios();

} // namespace terra_identity::test
