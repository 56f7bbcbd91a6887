// Which connections of a shared account are disconnected. And that a derivation names every account for which something
// else follows: a queue that looks at these accounts alone is always the one that the whole state leads to.
#include "harness.h"
#include "history.h"

#include "core/collisions.h"
#include "core/disconnects.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace terra_identity::test {
namespace {

constexpr OnDuplicate choices[] = {OnDuplicate::report, OnDuplicate::disconnect_older, OnDuplicate::disconnect_newer};

Delivery connects(const std::string& user_id, const std::string& person, int second) {
    return athlete(user_id, "scale").reference(person).created(second).at(second);
}

using Stored = std::map<std::string, Connection>;

std::vector<Connection> active_on(const Stored& stored, const Account& account, std::size_t limit = SIZE_MAX) {
    std::vector<Connection> active;
    for (const auto& [user_id, connection] : stored)
        if (connection.status == Status::active && connection.account() == account && active.size() < limit)
            active.push_back(connection);
    return active;
}

/// Who is to be disconnected on the account "scale" of a provider, after these deliveries.
Disconnects after(const std::vector<Delivery>& deliveries, OnDuplicate on_duplicate, bool is_accepted = false,
                  const std::string& provider = "OURA") {
    World world(rules_under(AccountPolicy::keep));
    world.insert(read_all(deliveries));
    return disconnects_of(on_duplicate, is_accepted, active_on(world.store().stored(), {provider, "scale"}));
}

using Ids = std::vector<std::string>;

TEST(DisconnectsTest, AllButTheNewestOrAllButTheOldest) {
    const std::vector<Delivery> three{connects("c", "carl", 2), connects("a", "anna", 1), connects("b", "bert", 3)};
    EXPECT_EQ(after(three, OnDuplicate::disconnect_older).user_ids, (Ids{"a", "c"}));
    EXPECT_EQ(after(three, OnDuplicate::disconnect_newer).user_ids, (Ids{"c", "b"}));
    EXPECT_EQ(after(three, OnDuplicate::report).user_ids, Ids());
    EXPECT_EQ(after(three, OnDuplicate::disconnect_older, true).user_ids, Ids());
}

TEST(DisconnectsTest, NobodyAlone) {
    EXPECT_EQ(after({connects("a", "anna", 1)}, OnDuplicate::disconnect_older).user_ids, Ids());
    EXPECT_EQ(after({connects("a", "anna", 1), connects("b", "anna", 2)}, OnDuplicate::disconnect_older).user_ids,
              Ids());
    EXPECT_EQ(
        after({connects("a", "anna", 1), connects("b", "bert", 2), deauth("b").at(3)}, OnDuplicate::disconnect_older)
            .user_ids,
        Ids());
}

TEST(DisconnectsTest, NotOnADevice) {
    std::vector<Delivery> family{connects("a", "anna", 1), connects("b", "bert", 2)};
    for (Delivery& delivery : family)
        delivery = delivery.provider("APPLE");
    for (const OnDuplicate on_duplicate : choices)
        EXPECT_EQ(after(family, on_duplicate, false, "APPLE").user_ids, Ids());
}

TEST(DisconnectsTest, WhoIsNotKnownIsLeftAloneAndCountsForNobody) {
    for (const OnDuplicate on_duplicate : choices) {
        EXPECT_EQ(after({connects("a", "anna", 1), connects("b", "", 2)}, on_duplicate).user_ids, Ids());
        const Delivery undated = athlete("b", "scale").reference("bert").at(2);
        EXPECT_EQ(after({connects("a", "anna", 1), undated}, on_duplicate).user_ids, Ids());
    }
    EXPECT_EQ(
        after({connects("a", "anna", 1), connects("b", "bert", 2), connects("c", "", 3)}, OnDuplicate::disconnect_older)
            .user_ids,
        (Ids{"a"}));
}

TEST(DisconnectsTest, NotInACrowd) {
    std::vector<Delivery> people;
    for (int i = 1; i < static_cast<int>(crowd); ++i)
        people.push_back(connects("u" + std::to_string(i), "p" + std::to_string(i), i));
    EXPECT_EQ(after(people, OnDuplicate::disconnect_older).user_ids.size(), crowd - 2);
    people.push_back(connects("one more", "one more", 0)); // also one of whom it is not known who it is
    EXPECT_EQ(after(people, OnDuplicate::disconnect_older).user_ids, Ids());
    people.back() = connects("one more", "", 0);
    EXPECT_EQ(after(people, OnDuplicate::disconnect_older).user_ids, Ids());
}

TEST(DisconnectsTest, WhatIsForetoldHappens) {
    const std::vector<Ids> accounts{{"anna"}, {"anna", "bert"}, {"", "anna"}, {"anna", "bert", "carl", "dora"}};
    std::set<std::string> foretold_ever;
    for (const OnDuplicate on_duplicate : choices)
        for (const Ids& people : accounts)
            for (const std::string person : {"anna", "eva", ""}) {
                World world(rules_under(AccountPolicy::keep));
                std::vector<Delivery> deliveries;
                for (const std::string& one : people)
                    deliveries.push_back(connects("of " + one, one, static_cast<int>(deliveries.size()) + 1));
                world.insert(read_all(deliveries));
                const Connection next = newcomer(world.rules(), "OURA", "scale", person);
                Ids foretold = disconnects_after(on_duplicate, false, next, world.store().all()).user_ids;
                std::replace(foretold.begin(), foretold.end(), std::string(), std::string("new"));
                deliveries.push_back(connects("new", person, 9));
                EXPECT_EQ(foretold, after(deliveries, on_duplicate).user_ids)
                    << to_string(on_duplicate) << ", " << people.size() << " people, then '" << person << "'";
                foretold_ever.insert(foretold.begin(), foretold.end());
            }
    EXPECT_TRUE(foretold_ever.contains("new") && foretold_ever.contains("of anna"));
}

TEST(DisconnectsTest, AFailureIsWaitedForEverLonger) {
    EXPECT_EQ(wait_after(0), 30 * micros_per_second);
    EXPECT_EQ(wait_after(1), 30 * micros_per_second);
    EXPECT_EQ(wait_after(2), 60 * micros_per_second);
    EXPECT_EQ(wait_after(3), 120 * micros_per_second);
    EXPECT_EQ(wait_after(8), 3600 * micros_per_second);
    EXPECT_EQ(wait_after(INT64_MAX), 3600 * micros_per_second);
}

/// The queue that follows from a state.
std::set<std::string> queue_of(const Stored& stored, OnDuplicate on_duplicate) {
    std::set<std::string> queue;
    for (const auto& [user_id, connection] : stored)
        if (const auto account = connection.account())
            for (const std::string& queued :
                 disconnects_of(on_duplicate, false, active_on(stored, *account, crowd)).user_ids)
                queue.insert(queued);
    return queue;
}

/// Plays a history, and follows the accounts that the derivations name. @return where the queue is wrong
/// @param queued_ever counts what is in the queue after each batch
std::string follow(const History& history, const Rules& rules, OnDuplicate on_duplicate, std::size_t& queued_ever) {
    MemoryStore store;
    std::map<std::string, Account> queue;
    std::int64_t event_id = 1;
    for (const std::vector<Delivery>& batch : history) {
        Derived derived = derive(store, rules, read_all(batch), event_id);
        event_id += static_cast<std::int64_t>(batch.size());
        const auto accounts = accounts_to_disconnect(derived);
        store.write(derived);
        for (const auto& [account, cause] : accounts)
            std::erase_if(queue, [&](const auto& queued) { return queued.second == account; });
        for (const auto& [account, cause] : accounts)
            for (const std::string& user_id :
                 disconnects_of(on_duplicate, false, active_on(store.stored(), account, crowd)).user_ids)
                queue.emplace(user_id, account);
        std::set<std::string> queued;
        for (const auto& [user_id, account] : queue)
            queued.insert(user_id);
        queued_ever += queued.size();
        if (queued != queue_of(store.stored(), on_duplicate))
            return "the queue is wrong\n";
    }
    return "";
}

TEST(DisconnectsTest, TheQueueFollowsEveryDerivation) {
    std::size_t queued_ever = 0;
    for (std::uint64_t seed = first_seed(), end = seed + histories(2000); seed < end; ++seed) {
        const OnDuplicate on_duplicate = choices[1 + seed % 2];
        Rules rules = rules_under(AccountPolicy::keep);
        if (seed % 3 == 0)
            rules.sdk_providers = {"DASH"};
        const auto play = [&](const History& history) { return follow(history, rules, on_duplicate, queued_ever); };
        const History history = random_history(seed);
        if (!play(history).empty()) {
            const History smaller = shrunk(history, [&](const History& h) { return !play(h).empty(); });
            FAIL() << "TEST_SEED=" << seed << " fails with:\n" << to_text(smaller) << play(smaller);
        }
    }
    if (histories(2000) >= 2000) {
        EXPECT_GT(queued_ever, 30U); // the histories do have duplicates that are disconnected
    }
}

TEST(DisconnectsTest, NeverEverybody) {
    for (std::uint64_t seed = first_seed(), end = seed + histories(500); seed < end; ++seed) {
        World world(rules_under(AccountPolicy::keep));
        for (const std::vector<Delivery>& batch : random_history(seed))
            world.insert(read_all(batch));
        for (const auto& [user_id, connection] : world.store().stored()) {
            const auto account = connection.account();
            if (!account)
                continue;
            const std::vector<Connection> active = active_on(world.store().stored(), *account);
            for (const OnDuplicate on_duplicate : choices) {
                const Disconnects disconnects = disconnects_of(on_duplicate, false, active);
                EXPECT_TRUE(disconnects.user_ids.empty() || disconnects.user_ids.size() < active.size())
                    << "TEST_SEED=" << seed;
                EXPECT_FALSE(disconnects.why_not.empty());
            }
        }
    }
}

} // namespace
} // namespace terra_identity::test
