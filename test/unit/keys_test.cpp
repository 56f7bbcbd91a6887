// The keys of a derivation (Derived::keys) cover everything that it relies on. If two derivations from one state have
// no common key, the state after both is the one that the set of events leads to, whichever writes first. And
// derivations about unrelated connections have no common key.
#include "harness.h"
#include "history.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>

namespace terra_identity::test {
namespace {

constexpr AccountPolicy policies[] = {AccountPolicy::keep, AccountPolicy::replace};

std::string describe(const Key& key) {
    if (const auto* connection = std::get_if<ConnectionKey>(&key))
        return "connection " + connection->user_id;
    if (const auto* slot = std::get_if<SlotKey>(&key))
        return "slot " + slot->provider + " account " + slot->provider_user_id.value_or("null") + " reference " +
               slot->reference_id.value_or("null");
    return "lineage " + std::to_string(std::get<LineageKey>(key).lineage_id);
}

std::set<std::string> describe(const Keys& keys) {
    std::set<std::string> result;
    for (const Key& key : keys)
        result.insert(describe(key));
    return result;
}

std::set<std::string> common(const Keys& a, const Keys& b) {
    Keys both;
    std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::inserter(both, both.end()));
    return describe(both);
}

/// The keys of the slots of a connection.
Keys slot_keys(const Connection& connection) {
    Keys keys;
    if (connection.facts.provider && connection.provider_user_id && !connection.account_unusable)
        keys.insert(SlotKey{connection.facts.provider->value, connection.provider_user_id, std::nullopt});
    if (connection.sdk && connection.facts.reference_id)
        keys.insert(SlotKey{connection.facts.provider->value, std::nullopt, connection.facts.reference_id->value});
    return keys;
}

/// The keys that a derivation must have, at the least.
Keys least_keys(const Derived& derived, const std::vector<Event>& batch, const MemoryStore& store) {
    Keys least;
    std::set<std::int64_t> stored_lineages; // no other derivation can know a lineage that is not stored
    for (const auto& [user_id, connection] : store.stored())
        stored_lineages.insert(connection.lineage_id);
    for (const Event& event : batch)
        for (const Contribution& contribution : contributions_of(event))
            least.insert(ConnectionKey{contribution.user_id});
    for (const Node& node : derived.nodes) {
        if (!node.changed() && !node.evaluated)
            continue;
        least.merge(slot_keys(node.now));
        if (node.stored)
            least.merge(slot_keys(*node.stored));
        if (!node.changed())
            continue;
        if (node.stored)
            least.insert(LineageKey{node.stored->lineage_id});
        if (stored_lineages.contains(node.now.lineage_id))
            least.insert(LineageKey{node.now.lineage_id});
    }
    return least;
}

World world_of(const std::vector<Delivery>& deliveries, AccountPolicy policy = AccountPolicy::keep) {
    World world(rules_under(policy));
    world.insert(read_all(deliveries));
    return world;
}

Keys keys_of(World& world, const std::vector<Delivery>& deliveries) {
    return derive(world.store(), world.rules(), read_all(deliveries)).keys;
}

TEST(KeysTest, CoverWhatIsToldEvaluatedAndChanged) {
    for (std::uint64_t seed = first_seed(), end = seed + histories(1500); seed < end; ++seed) {
        const History history = random_history(seed);
        World world(rules_under(policies[seed % 2]));
        for (const std::vector<Delivery>& batch : history) {
            const std::vector<Event> events = read_all(batch);
            const Derived derived = derive(world.store(), world.rules(), events);
            const Keys keys = derived.keys;
            const Keys least = least_keys(derived, events, world.store());
            ASSERT_TRUE(std::includes(keys.begin(), keys.end(), least.begin(), least.end()))
                << "TEST_SEED=" << seed << "\n"
                << to_text(history) << "keys: " << testing::PrintToString(describe(keys))
                << "\nat the least: " << testing::PrintToString(describe(least));
            world.insert(events);
        }
    }
}

/// Derives the last two batches from one state and writes both. @return the faults, if they have no common key
std::string play_together(const History& history, AccountPolicy policy, bool second_first, bool* were_disjoint) {
    if (history.size() < 2)
        return {};
    World world(rules_under(policy));
    for (std::size_t i = 0; i + 2 < history.size(); ++i)
        world.insert(read_all(history[i]));
    const std::vector<Event> first = read_all(history[history.size() - 2]);
    const std::vector<Event> second = read_all(history.back());
    const Derived a = derive(world.store(), world.rules(), first);
    const Derived b = derive(world.store(), world.rules(), second);
    if (!common(a.keys, b.keys).empty())
        return {};
    if (were_disjoint != nullptr)
        *were_disjoint = true;
    world.store().write(second_first ? b : a);
    world.store().write(second_first ? a : b);
    for (const Event& event : first)
        world.ledger().push_back(event);
    for (const Event& event : second)
        world.ledger().push_back(event);
    std::string faults = world.faults();
    if (!faults.empty())
        faults += "keys of the one: " + testing::PrintToString(describe(a.keys)) +
                  "\nkeys of the other: " + testing::PrintToString(describe(b.keys));
    return faults;
}

TEST(KeysTest, DerivationsWithoutACommonKeyDoNotDisturbEachOther) {
    int disjoint = 0;
    for (std::uint64_t seed = first_seed(), end = seed + histories(6000); seed < end; ++seed) {
        const auto play = [seed](const History& history, bool* were_disjoint = nullptr) {
            return play_together(history, policies[seed % 2], seed % 4 < 2, were_disjoint);
        };
        const History history = random_history(seed);
        bool were_disjoint = false;
        if (!play(history, &were_disjoint).empty()) {
            const History smaller = shrunk(history, [&](const History& h) { return !play(h).empty(); });
            FAIL() << "TEST_SEED=" << seed << " fails, the last two batches together:\n"
                   << to_text(smaller) << play(smaller);
        }
        disjoint += were_disjoint ? 1 : 0;
    }
    if (histories(6000) >= 6000) {
        EXPECT_GT(disjoint, 300);
    }
}

/// Plays the last two batches together, under either policy, with either one writing first.
void expect_no_disturbance(const History& history) {
    for (const AccountPolicy policy : policies)
        for (const bool second_first : {false, true})
            EXPECT_EQ(play_together(history, policy, second_first, nullptr), "")
                << "the second first: " << second_first;
}

/// A user_reauth between two end users, whose connections are of two lineages.
Delivery transfer(const std::string& old_user_id, const std::string& new_user_id) {
    Delivery delivery = reauth(old_user_id, new_user_id);
    delivery.payload["old_user"]["reference_id"] = old_user_id;
    delivery.payload["new_user"]["reference_id"] = new_user_id;
    return delivery;
}

TEST(KeysTest, AnAccountMayComeOverATransferThatIsReadOnly) {
    expect_no_disturbance({{transfer("a", "b").at(1), auth("b").provider("APPLE").reference("b").at(2)},
                           {athlete("a", "x").reference("a").at(3)},
                           {auth("b").reference("b").at(4)}});
}

TEST(KeysTest, ThePlaceOfAPredecessorMayDecideOverAnAccount) {
    expect_no_disturbance({{athlete("a", "x").reference("a").at(1), athlete("b", "y").reference("b").at(2),
                            transfer("a", "c").at(3), transfer("b", "c").at(4)},
                           {auth("a").reference("a").at(5)},
                           {auth("b").reference("b").at(6)}});
}

TEST(KeysTest, TwoTransfersMayCloseACycleOfTransfers) {
    expect_no_disturbance(
        {{transfer("b", "c").at(1), transfer("d", "a").at(2)}, {transfer("a", "b").at(3)}, {transfer("c", "d").at(4)}});
    expect_no_disturbance({{transfer("b", "c").at(1), transfer("c", "d").at(2), transfer("e", "f").at(3),
                            transfer("f", "a").at(4), athlete("f", "x").reference("f").at(5)},
                           {transfer("a", "b").at(6)},
                           {transfer("d", "e").at(7)}});
}

TEST(KeysTest, TwoTransfersMayJoinChainsThatAreInTheWrongOrder) {
    expect_no_disturbance({{transfer("b", "c").at(8), transfer("d", "e").at(1), athlete("a", "x").reference("a").at(9)},
                           {transfer("a", "b").at(9)},
                           {transfer("c", "d").at(9)}});
}

TEST(KeysTest, UnrelatedConnectionsHaveNoCommonKey) {
    World world = world_of({auth("a").at(1), athlete("a", "x").at(2), auth("b").reference("bert").at(3),
                            athlete("b", "y").reference("bert").at(4)});
    const Keys a = keys_of(world, {deauth("a").at(5)});
    const Keys b = keys_of(world, {reauth("b", "c").reference("bert").at(6)});
    EXPECT_EQ(common(a, b), std::set<std::string>{});
    EXPECT_EQ(describe(a), (std::set<std::string>{"connection a", "slot OURA account x reference null", "lineage 1"}));
    EXPECT_EQ(describe(b), (std::set<std::string>{"connection b", "connection c", "slot OURA account y reference null",
                                                  "lineage 2"}));
}

TEST(KeysTest, NewUnrelatedConnectionsHaveNoCommonKey) {
    World world = world_of({});
    EXPECT_EQ(describe(keys_of(world, {auth("a").at(1)})), std::set<std::string>{"connection a"});
    EXPECT_EQ(describe(keys_of(world, {auth("b").at(1)})), std::set<std::string>{"connection b"});
}

TEST(KeysTest, HoldersOfOneAccountHaveItInCommonUnderEitherPolicy) {
    for (const AccountPolicy policy : policies) {
        World world = world_of({auth("a").at(1), athlete("a", "x").at(2), auth("b").reference("bert").at(3)}, policy);
        EXPECT_EQ(
            common(keys_of(world, {deauth("a").at(5)}), keys_of(world, {athlete("b", "x").reference("bert").at(6)})),
            (std::set<std::string>{"slot OURA account x reference null", "lineage 1"}));
    }
}

TEST(KeysTest, WhoHasTheSameUnusableAccountHasNothingInCommon) {
    World world = world_of({auth("a").provider("DASH").at(1), auth("b").provider("DASH").reference("bert").at(2)},
                           AccountPolicy::replace);
    const Keys a = keys_of(world, {athlete("a", "0").provider("DASH").at(3)});
    const Keys b = keys_of(world, {athlete("b", "0").provider("DASH").reference("bert").at(4)});
    EXPECT_EQ(describe(a), (std::set<std::string>{"connection a", "lineage 1"}));
    EXPECT_EQ(describe(b), (std::set<std::string>{"connection b", "lineage 2"}));
}

TEST(KeysTest, DevicesOfOnePersonHaveTheReferenceInCommon) {
    World world = world_of({auth("a").provider("APPLE").at(1)});
    EXPECT_EQ(common(keys_of(world, {deauth("a").provider("APPLE").at(5)}),
                     keys_of(world, {auth("b").provider("APPLE").at(6)})),
              (std::set<std::string>{"slot APPLE account null reference anna", "lineage 1"}));
}

TEST(KeysTest, MembersOfOneLineageHaveItInCommon) {
    World world = world_of({reauth("a", "b").at(1), reauth("b", "c").at(2)});
    EXPECT_EQ(common(keys_of(world, {deauth("a").at(5)}), keys_of(world, {deauth("c").at(6)})),
              std::set<std::string>{"lineage 1"});
}

TEST(KeysTest, AnEventThatChangesNothingHoldsNoNeighbour) {
    World world = world_of({auth("a").at(1), athlete("a", "x").at(2), auth("b").at(3), athlete("b", "x").at(4)});
    EXPECT_EQ(describe(keys_of(world, {auth("b").at(3)})),
              (std::set<std::string>{"connection b", "slot OURA account x reference null", "lineage 1"}));
}

} // namespace
} // namespace terra_identity::test
