// Plays every scenario: one event per batch, all in one batch, in pairs, and with every event repeated at every later
// place. The end state must be the same. Scenarios of up to six events are played in all orders, longer ones in some,
// chosen by TEST_SEED: TEST_ORDERS says in how many. With TEST_BATCHINGS set, repetitions come in every batching, too.
#include "counts.h"
#include "harness.h"
#include "history.h"
#include "scenarios.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <random>

namespace terra_identity::test {

void PrintTo(const Outcome& outcome, std::ostream* out) {
    *out << outcome.statuses << "; they resolve to " << outcome.resolved << "; " << outcome.duplicates
         << " duplicates; lineages " << outcome.lineages;
}

void PrintTo(const Scenario& scenario, std::ostream* out) { *out << scenario.name; }

namespace {

Outcome outcome_of(const Truths& truths) {
    Outcome outcome;
    std::map<std::string, std::string> lineages;
    for (const auto& [user_id, truth] : truths) {
        outcome.statuses += (outcome.statuses.empty() ? "" : " ") + user_id + ":" + truth.status;
        if (truth.successor_user_id)
            outcome.statuses += ">" + *truth.successor_user_id;
        outcome.resolved += (outcome.resolved.empty() ? "" : " ") + truth.resolved.value_or("-");
        outcome.duplicates += truth.duplicate ? 1 : 0;
        std::string& members = lineages[truth.lineage];
        members += (members.empty() ? "" : " ") + user_id;
    }
    for (const auto& [first, members] : lineages)
        outcome.lineages += (outcome.lineages.empty() ? "" : "|") + members;
    return outcome;
}

using Order = std::vector<std::size_t>;

/// Describes the order in which a scenario is played, for the message of a failure.
std::string describe(const Scenario& scenario, const Order& order, std::size_t batch_size) {
    std::string result = "in batches of " + std::to_string(batch_size) + ":\n";
    for (const std::size_t i : order)
        result += "  " + scenario.deliveries[i].payload.dump() + " " + scenario.deliveries[i].headers.dump() + "\n";
    return result;
}

class ScenarioPlayer {
public:
    ScenarioPlayer(const Scenario& scenario, AccountPolicy policy)
        : scenario_(scenario), rules_(rules_under(policy)), events_(read_all(scenario.deliveries)) {
        expected_ = brute_force(events_, rules_);
    }

    const Truths& expected() const { return expected_; }

    /// Plays the scenario. @return whether the end state is the expected one, also by the brute force and by
    /// `derive_everything`
    bool play(const Order& order, std::size_t batch_size) {
        World world(rules_, order.front() + batch_size);
        for (std::size_t begin = 0; begin < order.size(); begin += batch_size) {
            std::vector<Event> batch;
            for (std::size_t i = begin; i < std::min(begin + batch_size, order.size()); ++i)
                batch.push_back(events_[order[i]]);
            world.insert(batch);
        }
        if (world.truths() == expected_ && (order.size() > events_.size() || world.faults().empty()))
            return true;
        ADD_FAILURE() << describe(scenario_, order, batch_size) << difference(expected_, world.truths())
                      << world.faults();
        return false;
    }

    bool play_with_repetition(const Order& order, std::size_t again, std::size_t place) {
        Order longer = order;
        longer.insert(longer.begin() + static_cast<std::ptrdiff_t>(place), order[again]);
        return play(longer, 1) && (!repeats_in_batches || (play(longer, 2) && play(longer, longer.size())));
    }

    bool play_with_repetitions(const Order& order) {
        for (std::size_t again = 0; again < order.size(); ++again)
            for (std::size_t place = again + 1; place <= order.size(); ++place)
                if (!play_with_repetition(order, again, place))
                    return false;
        return true;
    }

    bool play_in_batches(const Order& order) { return play(order, 1) && play(order, 2) && play(order, order.size()); }

    void play_all_orders() {
        Order order(events_.size());
        std::iota(order.begin(), order.end(), 0);
        do {
            if (!play_in_batches(order) || !play_with_repetitions(order))
                return;
            count("orders of up to 6 events");
        } while (std::next_permutation(order.begin(), order.end()));
    }

    /// Each of these orders with each event repeated at one later place.
    void play_some_orders(std::uint64_t orders) {
        std::mt19937_64 random(first_seed());
        Order order(events_.size());
        std::iota(order.begin(), order.end(), 0);
        for (std::uint64_t played = 0; played < orders; ++played) {
            std::shuffle(order.begin(), order.end(), random);
            if (!play_in_batches(order))
                return;
            for (std::size_t again = 0; again < order.size(); ++again)
                if (!play_with_repetition(order, again, std::uniform_int_distribution(again + 1, order.size())(random)))
                    return;
            count("orders of 7 and 8 events");
        }
    }

    void play_orders() {
        if (events_.size() <= 6)
            play_all_orders();
        else
            play_some_orders(number_in("TEST_ORDERS", 100));
    }

private:
    const bool repeats_in_batches = std::getenv("TEST_BATCHINGS") != nullptr;
    const Scenario& scenario_;
    Rules rules_;
    std::vector<Event> events_;
    Truths expected_;
};

class ScenariosTest : public testing::TestWithParam<Scenario> {};

TEST_P(ScenariosTest, UnderKeep) {
    ScenarioPlayer player(GetParam(), AccountPolicy::keep);
    EXPECT_EQ(outcome_of(player.expected()), GetParam().keep);
    player.play_orders();
}

TEST_P(ScenariosTest, UnderReplace) {
    ScenarioPlayer player(GetParam(), AccountPolicy::replace);
    EXPECT_EQ(outcome_of(player.expected()), GetParam().replace.value_or(GetParam().keep));
    player.play_orders();
}

INSTANTIATE_TEST_SUITE_P(All, ScenariosTest, testing::ValuesIn(all_scenarios()),
                         [](const auto& scenario) { return scenario.param.name; });

} // namespace

std::vector<Scenario> all_scenarios() {
    std::vector<Scenario> all;
    for (const auto& topic : {scenarios_of_one_connection(), scenarios_of_reauths(), scenarios_of_transfers(),
                              scenarios_of_shared_accounts(), scenarios_of_changed_facts(), scenarios_of_corrections(),
                              scenarios_of_imports(), scenarios_of_stories()})
        all.insert(all.end(), topic.begin(), topic.end());
    return all;
}

} // namespace terra_identity::test
