// Tests with random histories. After every batch the state is the one that the set of events so far leads to, and it
// stays the same when it is derived again from the ledger, also under other rules. TEST_SEED (the first) and
// TEST_HISTORIES (how many) select other histories.
#include "counts.h"
#include "exported.h"
#include "harness.h"
#include "history.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

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
         seed < end && !testing::Test::HasFatalFailure(); ++seed) {
        test(seed);
        count("random histories");
    }
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

/// Inserts all events, in some order and in batches of up to this size, while the rules change between batches.
World in_some_order(std::vector<Event> events, std::mt19937_64& random, std::size_t largest_batch) {
    const auto below = [&random](std::size_t n) {
        return std::uniform_int_distribution<std::size_t>(0, n - 1)(random);
    };
    std::shuffle(events.begin(), events.end(), random);
    World world(some_rules(random()), random());
    for (std::size_t begin = 0, end = 0; begin < events.size(); begin = end) {
        if (below(4) == 0)
            world.change_rules(some_rules(random()));
        end = std::min(events.size(), begin + 1 + below(largest_batch));
        const std::vector<Event> batch(events.begin() + static_cast<std::ptrdiff_t>(begin),
                                       events.begin() + static_cast<std::ptrdiff_t>(end));
        if (below(2) == 0)
            world.insert(batch);
        else
            world.insert_what_is_new(batch);
    }
    return world;
}

TEST(RandomTest, AnyOrderAndBatchingUnderChangingRulesLeadsToOneState) {
    for_each_seed([](std::uint64_t seed) {
        expect_no_faults(seed, "orders", [&](const History& history) {
            std::vector<Event> events;
            for (const std::vector<Delivery>& batch : history)
                for (const Event& event : read_all(batch))
                    events.push_back(event);
            if (events.empty())
                return std::string();
            std::mt19937_64 random(seed);
            const Rules rules = some_rules(seed);
            const Truths expected = brute_force(events, rules);
            export_one_in(100, seed, history, rules);
            std::string faults;
            for (const std::size_t largest_batch : {std::size_t{1}, events.size()}) {
                World world = in_some_order(events, random, largest_batch);
                world.change_rules(rules);
                faults += difference(expected, world.truths()) + world.faults();
            }
            return faults;
        });
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
