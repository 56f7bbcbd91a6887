// Tests with random histories. After every batch the state is the one that the set of events so far leads to, and it
// stays the same when it is derived again from the ledger, also under other rules. TEST_SEED (the first) and
// TEST_HISTORIES (how many) select other histories.
#include "harness.h"
#include "history.h"

#include <gtest/gtest.h>

namespace terra_identity::test {
namespace {

constexpr AccountPolicy policies[] = {AccountPolicy::keep, AccountPolicy::replace};

/// Rules as users may set them; in half of the cases the usual ones.
Rules some_rules(std::uint64_t number) {
    Rules rules = rules_under(policies[number % 2]);
    switch (number / 2 % 6) {
    case 0:
        rules.sdk_providers = {"OURA", "DASH"};
        break;
    case 1:
        rules.unusable_providers = {"APPLE"};
        break;
    case 2:
        rules.sdk_providers = {"DASH"};
        rules.unusable_providers = {"OURA"};
        break;
    default:
        break;
    }
    return rules;
}

/// Returns what is wrong after a history; empty if nothing is.
using Play = std::function<std::string(const History&)>;

/// The faults after the first batch that causes any.
std::string play(const History& history, const Rules& rules, bool skip_known) {
    World world(rules);
    for (const std::vector<Delivery>& batch : history) {
        if (skip_known)
            world.insert_what_is_new(read_all(batch));
        else
            world.insert(read_all(batch));
        if (std::string faults = world.faults(); !faults.empty())
            return faults;
    }
    return {};
}

void expect_no_faults(std::uint64_t seed, const char* what, const Play& play) {
    const History history = random_history(seed);
    if (play(history).empty())
        return;
    const History smaller = shrunk(history, [&](const History& h) { return !play(h).empty(); });
    FAIL() << what << ", TEST_SEED=" << seed << " fails with:\n" << to_text(smaller) << play(smaller);
}

template <class Test>
void for_each_seed(const Test& test) {
    for (std::uint64_t seed = first_seed(), end = seed + histories(4000);
         seed < end && !testing::Test::HasFatalFailure(); ++seed)
        test(seed);
}

TEST(RandomTest, EveryBatchLeadsToTheStateOfTheWholeSet) {
    for_each_seed([](std::uint64_t seed) {
        for (const AccountPolicy policy : policies) {
            Rules rules = some_rules(seed);
            rules.account_policy = policy;
            expect_no_faults(seed, policy == AccountPolicy::keep ? "keep" : "replace",
                             [&](const History& history) { return play(history, rules, seed % 2 == 0); });
        }
    });
}

TEST(RandomTest, ARebuildRepairsWhatIsSpoilt) {
    for_each_seed([](std::uint64_t seed) {
        expect_no_faults(seed, "rebuild", [&](const History& history) {
            World world(rules_under(policies[seed % 2]));
            for (const std::vector<Delivery>& batch : history)
                world.insert(read_all(batch));
            const auto before = world.store().stored();
            world.spoil();
            world.rebuild();
            return world.faults() + (world.store().stored() == before ? "" : "another state than before\n");
        });
    });
}

TEST(RandomTest, OtherRulesGiveTheStateAsIfTheyHadAlwaysBeen) {
    for_each_seed([](std::uint64_t seed) {
        expect_no_faults(seed, "switch", [&](const History& history) {
            World switched(some_rules(seed));
            World direct(some_rules(seed * 7 + 1));
            std::string faults;
            for (const std::vector<Delivery>& batch : history) {
                switched.insert(read_all(batch));
                direct.insert(read_all(batch));
            }
            switched.rebuild(direct.rules());
            faults = switched.faults() + difference(direct.truths(), switched.truths());
            return faults + (switched.store().stored() == direct.store().stored() ? "" : "other ids\n");
        });
    });
}

TEST(RandomTest, AForgottenPartOfTheLedgerIsForgottenInTheState) {
    for_each_seed([](std::uint64_t seed) {
        expect_no_faults(seed, "forget", [&](const History& history) {
            World world(rules_under(policies[seed % 2]));
            for (const std::vector<Delivery>& batch : history)
                world.insert(read_all(batch));
            world.ledger().clear();
            for (std::size_t i = 1; i < history.size(); i += 2)
                for (const Event& event : read_all(history[i]))
                    world.ledger().push_back(event);
            world.rebuild();
            return world.faults();
        });
    });
}

} // namespace
} // namespace terra_identity::test
