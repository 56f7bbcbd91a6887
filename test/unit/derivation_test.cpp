// What a derivation reports besides the state: new reauths, moved lineages, what vanished, and which event caused a
// change. Also how few connections it loads from a large environment (more of that is in cost_test.cpp).
#include "harness.h"

#include "core/duplicates.h"

#include <gtest/gtest.h>

namespace terra_identity::test {
namespace {

World world_of(const std::vector<Delivery>& deliveries, AccountPolicy policy = AccountPolicy::keep) {
    World world(rules_under(policy));
    world.insert(read_all(deliveries));
    return world;
}

Derived derive(World& world, const std::vector<Delivery>& deliveries, std::int64_t first_event_id = 1) {
    return test::derive(world.store(), world.rules(), read_all(deliveries), first_event_id);
}

std::string name(int number) { return "u" + std::to_string(100'000 + number); }

TEST(DerivationTest, NothingToldChangesNothing) {
    World world = world_of({auth("a").at(1)});
    const Derived derived = derive(world, {});
    EXPECT_TRUE(derived.nodes.empty());
    EXPECT_TRUE(derived.keys.empty());
}

TEST(DerivationTest, ARepeatedEventChangesNothing) {
    World world = world_of({auth("a").at(1), athlete("a", "x").at(2), reauth("a", "b").at(3)});
    const Derived derived = derive(world, {reauth("a", "b").at(3), athlete("a", "x").at(2), auth("a").at(1)});
    for (const Node& node : derived.nodes)
        EXPECT_FALSE(node.changed()) << node.now.user_id;
    EXPECT_TRUE(derived.new_reauths.empty());
    EXPECT_TRUE(derived.moved_lineages.empty());
}

TEST(DerivationTest, ConnectionIdsFollowTheOrderOfArrival) {
    World world = world_of({auth("b").at(9)});
    world.insert(read_all({auth("a").at(1)}));
    EXPECT_EQ(world.store().stored().at("b").connection_id, 1);
    EXPECT_EQ(world.store().stored().at("a").connection_id, 2);
    EXPECT_EQ(world.store().stored().at("a").lineage_id, 2);
}

TEST(DerivationTest, TheConnectionKeepsItsFacts) {
    World world = world_of({body("a").at(5), auth("a").at(7).created(3).scopes("read"), connection_error("a").at(8)});
    const Connection& a = world.store().stored().at("a");
    EXPECT_TRUE(a.facts.confirmed);
    EXPECT_EQ(a.facts.first_seen_at, second(5));
    EXPECT_EQ(a.connected_at, second(3));
    EXPECT_EQ(a.place(), (Place{true, second(3), "a"}));
    EXPECT_EQ(a.facts.degraded_at, second(8));
    EXPECT_EQ(a.provider(), "OURA");
    EXPECT_EQ(a.reference_id(), "anna");
    EXPECT_EQ(a.scopes(), "read");
}

TEST(DerivationTest, WhatIsOnlySeenInPassingIsNotConfirmed) {
    World world = world_of({body("a").at(5), athlete("a", "x").at(6), connection_error("a").at(7)});
    const Connection& a = world.store().stored().at("a");
    EXPECT_FALSE(a.facts.confirmed);
    EXPECT_EQ(a.place(), (Place{false, second(5), "a"}));
}

TEST(DerivationTest, WhatIsReplacedIsConnectedBeforeItsHeirs) {
    World world = world_of({auth("a").at(9), reauth("a", "b").at(8), reauth("b", "c").at(7)});
    EXPECT_EQ(world.store().stored().at("c").connected_at, second(7));
    EXPECT_EQ(world.store().stored().at("b").connected_at, second(7) - 1);
    EXPECT_EQ(world.store().stored().at("a").connected_at, second(7) - 2);
    world.insert(read_all({body("c").at(10).created(3)}));
    EXPECT_EQ(world.store().stored().at("a").connected_at, second(3) - 2);
    EXPECT_EQ(world.store().stored().at("a").facts.connected_at(), second(8)) << "its own";
    world.insert(read_all({body("a").at(1)}));
    EXPECT_EQ(world.store().stored().at("a").connected_at, second(1));
}

TEST(DerivationTest, OnlyWhatIsNotStoredIsANewReauth) {
    World world = world_of({reauth("a", "b").at(1)});
    const Derived derived = derive(world, {reauth("a", "b").at(4), reauth("b", "c").at(5), reauth("b", "c").at(6)});
    EXPECT_EQ(derived.new_reauths, (std::set<Reauth>{{"b", "c", false}}));
    EXPECT_EQ(derived.vanished_reauths, std::set<Reauth>{});
}

Delivery transfer(const std::string& old_user_id, const std::string& new_user_id) {
    Delivery delivery = reauth(old_user_id, new_user_id);
    delivery.payload["new_user"]["reference_id"] = "bert";
    return delivery;
}

TEST(DerivationTest, ATransferThatTurnsOutToBeNoneVanishesAndIsANewReauth) {
    World world = world_of({transfer("a", "b").at(1)});
    const std::set<Reauth> transferred{{"a", "b", true}}, linked{{"a", "b", false}};
    ASSERT_EQ(world.store().stored_reauths(), transferred);
    const Derived derived = derive(world, {reauth("a", "b").reference("").at(2)});
    EXPECT_EQ(derived.vanished_reauths, transferred);
    EXPECT_EQ(derived.new_reauths, linked);
    world.store().write(derived);
    EXPECT_EQ(world.store().stored().at("a").lineage_id, world.store().stored().at("b").lineage_id);

    const Derived nothing_new = derive(world, {transfer("a", "b").at(3)});
    EXPECT_EQ(nothing_new.vanished_reauths, std::set<Reauth>{});
    EXPECT_EQ(nothing_new.new_reauths, std::set<Reauth>{}) << "it stays what it is";
}

TEST(DerivationTest, AllReauthsOfAPairInOneBatchAreOneReauth) {
    World world = world_of({});
    const Derived derived = derive(world, {transfer("a", "b").at(1), reauth("a", "b").at(2), transfer("a", "b").at(3)});
    EXPECT_EQ(derived.new_reauths, (std::set<Reauth>{{"a", "b", false}}));
    EXPECT_EQ(derived.vanished_reauths, std::set<Reauth>{});
    EXPECT_EQ(derive(world, {transfer("a", "b").at(1), transfer("a", "b").at(2)}).new_reauths,
              (std::set<Reauth>{{"a", "b", true}}));
}

TEST(DerivationTest, AReauthIsATransferAgainWithoutTheEventThatSaidOtherwise) {
    World world = world_of({transfer("a", "b").at(1), reauth("a", "b").reference("").at(2)});
    world.ledger() = read_all({transfer("a", "b").at(1)});
    world.rebuild();
    EXPECT_EQ(world.faults(), "");
    EXPECT_EQ(world.store().stored_reauths(), (std::set<Reauth>{{"a", "b", true}}));
}

TEST(DerivationTest, TheYoungerLineageMoves) {
    World world = world_of({reauth("a", "b").at(11)});
    world.insert(read_all({reauth("c", "d").at(2), reauth("d", "e").at(3)}));
    ASSERT_EQ(world.store().stored().at("e").lineage_id, 3);
    const Derived derived = derive(world, {reauth("e", "b").at(14)});
    EXPECT_EQ(derived.moved_lineages, (std::map<std::int64_t, std::int64_t>{{3, 1}}));
    EXPECT_FALSE(derived.nodes.contains("c")) << "the others of the lineage need not be loaded";
}

TEST(DerivationTest, WhatIsLoadedAsANeighbourMovesWithItsLineage) {
    World world = world_of({athlete("a", "x").reference("").at(10).created(29)}, AccountPolicy::replace);
    world.insert(read_all({auth("f").at(2), athlete("c", "x").at(5), reauth("f", "c").at(6)}));
    world.insert(read_all({reauth("f", "a").reference("").at(3).created(14)}));
    EXPECT_EQ(world.faults(), "");
    EXPECT_EQ(world.store().stored().at("c").lineage_id, 1);
}

TEST(DerivationTest, WhoEntersASlotIsLinkedToWhoStaysThoughOthersLeave) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        World world(rules_under(AccountPolicy::keep), seed);
        world.insert(read_all({auth("a").provider("APPLE").at(1)}));
        world.insert(read_all({body("b").provider("APPLE").at(2), deauth("c").provider("APPLE").at(3)}));
        world.insert(read_all({auth("b").at(4), auth("c").at(5), deauth("d").provider("APPLE").at(6)}));
        ASSERT_EQ(world.faults(), "") << "seed " << seed;
    }
}

TEST(DerivationTest, ACycleThatTheStoreDoesNotKnowAsOneHasAnEnd) {
    World world = world_of({reauth("a", "b").at(1), reauth("b", "c").at(2), reauth("c", "a").at(3)});
    world.spoil();
    ASSERT_FALSE(world.store().stored().at("a").cyclic);
    world.insert(read_all({reauth("b", "c").at(4), auth("a").at(5)}));
    world.rebuild();
    EXPECT_EQ(world.faults(), "");
}

TEST(DerivationTest, ACycleIsKnownInEveryMember) {
    World world = world_of({reauth("a", "b").at(1), reauth("b", "c").at(2)});
    EXPECT_FALSE(world.store().stored().at("b").cyclic);
    world.insert(read_all({reauth("c", "a").at(3), reauth("c", "d").at(4)}));
    for (const char* member : {"a", "b", "c"})
        EXPECT_TRUE(world.store().stored().at(member).cyclic) << member;
    EXPECT_FALSE(world.store().stored().at("d").cyclic);
}

TEST(DerivationTest, TwoCyclesBecomeOne) {
    World world = world_of({reauth("a", "b").at(1), reauth("b", "a").at(2), athlete("a", "x").at(3)});
    world.insert(read_all({reauth("c", "d").at(4), reauth("d", "c").at(5), reauth("b", "c").at(6)}));
    EXPECT_EQ(world.store().stored().at("b").connected_at, second(1));
    world.insert(read_all({athlete("c", "y").at(7), body("c").at(8).created(-9)}));
    EXPECT_EQ(world.store().stored().at("b").connected_at, second(-9) - 1) << "c is of another cycle";
    EXPECT_EQ(world.store().stored().at("b").provider_user_id, "x");
    EXPECT_EQ(world.store().stored().at("d").provider_user_id, "y");
    world.insert(read_all({reauth("d", "a").at(9)}));
    EXPECT_EQ(world.store().stored().at("b").connected_at, second(1));
    EXPECT_EQ(world.store().stored().at("b").provider_user_id, "x");
    EXPECT_EQ(world.store().stored().at("d").provider_user_id, "x");
    EXPECT_EQ(world.faults(), "");
}

std::optional<std::string> account_of(World& world, const std::string& user_id) {
    return world.store().stored().at(user_id).provider_user_id;
}

TEST(DerivationTest, ACycleTakesTheAccountOfTheNewestConnectionOutside) {
    World world = world_of({athlete("d", "y").at(1), athlete("e", "x").at(2), reauth("e", "c").at(3),
                            reauth("d", "a").at(4), reauth("a", "c").at(5), reauth("c", "a").at(6)});
    EXPECT_EQ(account_of(world, "a"), "x");
    EXPECT_EQ(account_of(world, "c"), "x");
    world.insert(read_all({auth("d").at(7)}));
    EXPECT_EQ(account_of(world, "a"), "y") << "d is dated now, e is not";
    EXPECT_EQ(account_of(world, "c"), "y");
}

TEST(DerivationTest, ACycleTakesTheAccountOfItsNewestMember) {
    World world = world_of({athlete("o", "z").at(9), reauth("o", "c").at(2), reauth("a", "b").at(3),
                            reauth("b", "c").at(4), reauth("c", "a").at(5)});
    EXPECT_EQ(account_of(world, "a"), "z");
    world.insert(read_all({athlete("a", "x").at(6)}));
    EXPECT_EQ(account_of(world, "a"), "x");
    EXPECT_EQ(account_of(world, "b"), "x");
    EXPECT_EQ(account_of(world, "c"), "x");
    world.insert(read_all({athlete("b", "y").at(7), body("b").at(8).created(5)}));
    EXPECT_EQ(account_of(world, "a"), "x");
    EXPECT_EQ(account_of(world, "b"), "y");
    EXPECT_EQ(account_of(world, "c"), "y");
    world.insert(read_all({body("b").at(8).created(-1)}));
    EXPECT_EQ(account_of(world, "c"), "x") << "a is newer now";
}

TEST(DerivationTest, AnSdkMemberOfACycleTakesNoAccountAndBringsInNone) {
    World world = world_of({athlete("o", "x").at(1), reauth("a", "b").at(2), reauth("b", "a").at(3),
                            reauth("o", "a").at(4), auth("a").provider("APPLE").at(5)});
    EXPECT_EQ(account_of(world, "a"), std::nullopt);
    EXPECT_EQ(account_of(world, "b"), std::nullopt);
    world.insert(read_all({reauth("o", "b").at(6)}));
    EXPECT_EQ(account_of(world, "a"), std::nullopt);
    EXPECT_EQ(account_of(world, "b"), "x");
    world.insert(read_all({athlete("a", "y").provider("APPLE").at(7)}));
    EXPECT_EQ(account_of(world, "a"), "y");
    EXPECT_EQ(account_of(world, "b"), "y") << "its own it gives to the others";
    EXPECT_EQ(world.faults(), "");
}

TEST(DerivationTest, TheEventThatDidItIsTold) {
    World world = world_of({athlete("a", "x").at(1)});
    const Derived derived = derive(world, {auth("c").reference("cleo").at(5), athlete("b", "x").at(6)}, 40);
    EXPECT_EQ(derived.nodes.at("c").event_id, 40);
    EXPECT_EQ(derived.nodes.at("b").event_id, 41);
    EXPECT_EQ(derived.nodes.at("a").now.status, Status::superseded);
    EXPECT_EQ(derived.nodes.at("a").event_id, 41);
}

TEST(DerivationTest, WhatTheLedgerDoesNotHaveVanishes) {
    World world = world_of({reauth("a", "b").at(1), reauth("c", "d").at(2)});
    const auto& reauths = world.store().stored_reauths();
    const Derived derived = derive_everything(
        world.rules(), fold_of(read_all({reauth("c", "d").at(2), reauth("e", "c").at(3)})), world.store().all(),
        {reauths.begin(), reauths.end()}, [&world] { return world.store().new_connection_id(); });
    std::set<std::string> vanished;
    for (const Connection& connection : derived.vanished)
        vanished.insert(connection.user_id);
    EXPECT_EQ(vanished, (std::set<std::string>{"a", "b"}));
    EXPECT_EQ(derived.vanished_reauths, (std::set<Reauth>{{"a", "b", false}}));
    EXPECT_EQ(derived.new_reauths, (std::set<Reauth>{{"e", "c", false}}));
    EXPECT_EQ(derived.nodes.at("e").now.lineage_id, 3);
}

TEST(DerivationTest, AProviderBecomesAnSdkProvider) {
    World world = world_of({athlete("a", "x").at(1), reauth("a", "b").at(2), auth("c").at(3)});
    ASSERT_EQ(world.store().stored().at("b").provider_user_id, "x");
    Rules rules = world.rules();
    rules.sdk_providers.insert("OURA");
    world.rebuild(rules);
    EXPECT_EQ(world.faults(), "");
    EXPECT_EQ(world.store().stored().at("b").provider_user_id, std::nullopt);
    EXPECT_EQ(world.store().stored().at("b").successor_user_id, "c");
}

TEST(DerivationTest, TheAccountIdsOfAProviderBecomeUnusable) {
    World world =
        world_of({athlete("a", "x").at(1), athlete("b", "x").at(2), athlete("c", "x").reference("cleo").at(3)},
                 AccountPolicy::keep);
    ASSERT_EQ(world.store().stored().at("a").status, Status::superseded);
    ASSERT_TRUE(world.store().stored().at("b").duplicate);
    Rules rules = world.rules();
    rules.unusable_providers.insert("OURA");
    world.rebuild(rules);
    EXPECT_EQ(world.faults(), "");
    const Connection& a = world.store().stored().at("a");
    EXPECT_EQ(a.provider_user_id, "x") << "it is known all the same";
    EXPECT_EQ(a.account(), std::nullopt);
    EXPECT_TRUE(a.slots().empty());
    EXPECT_EQ(a.status, Status::active);
    EXPECT_FALSE(world.store().stored().at("b").duplicate);
    EXPECT_NE(world.store().stored().at("b").lineage_id, a.lineage_id);
}

TEST(DerivationTest, ADeviceIsNeverForOneEndUserAlone) {
    for (const char* provider : {"OURA", "APPLE", "DASH"}) {
        World world = world_of({athlete("a", "x").provider(provider).at(1)}, AccountPolicy::replace);
        const Connection& a = world.store().stored().at("a");
        EXPECT_EQ(a.account_exclusive, a.provider() == "OURA" || a.provider() == "DASH") << provider;
        EXPECT_EQ(a.account_unusable, a.provider() == "DASH") << provider;
        EXPECT_EQ(a.sdk, a.provider() == "APPLE") << provider;
        for (const Slot& slot : a.slots())
            EXPECT_EQ(slot.per_reference, a.sdk) << provider;
    }
}

/// Many end users have one account; the tests count what one more event loads.
class CrowdedAccountTest : public testing::TestWithParam<AccountPolicy> {
protected:
    static constexpr int holders = 400;

    CrowdedAccountTest() : world_(rules_under(GetParam())) {
        std::vector<Delivery> deliveries;
        for (int i = 0; i < holders; ++i)
            deliveries.push_back(athlete(name(i), "x").reference(name(i)).at(i + 1));
        world_.insert(read_all(deliveries));
    }

    std::size_t loaded_for(const Delivery& delivery) { return derive(world_, {delivery}).nodes.size(); }

    World world_;
};

TEST_P(CrowdedAccountTest, CostsNoMoreThanItsNeighboursAndWhomTheFeedNames) {
    constexpr std::size_t named = max_named_holders + 5; // where a duplicate opens or closes
    EXPECT_LE(loaded_for(body(name(200)).reference(name(200)).at(1000)), 4);
    EXPECT_LE(loaded_for(deauth(name(200)).reference(name(200)).at(1000)), named + 5);
    EXPECT_LE(loaded_for(athlete("new", "x").reference("new").at(1000)), named + 5);
    EXPECT_LE(loaded_for(athlete(name(200), "y").reference(name(200)).at(1000)), named + 6);
    EXPECT_LE(loaded_for(auth(name(200)).reference("new").at(1000)), 6);
    EXPECT_LE(loaded_for(auth(name(200)).reference(name(200)).at(1000).created(-5)), 6);
}

TEST(DerivationTest, WhoLeavesALongLineageNeedsNoneOfTheOthers) {
    std::vector<Delivery> deliveries;
    for (int i = 0; i < 400; ++i)
        deliveries.push_back(athlete("u" + std::to_string(i), "x").reference("same").at(i + 1));
    World world = world_of(deliveries);
    const Derived derived = derive(world, {athlete("u200", "y").reference("same").at(1000)});
    EXPECT_LE(derived.nodes.size(), 6);
    EXPECT_EQ(derived.nodes.at("u200").now.lineage_id, derived.nodes.at("u200").now.connection_id);
}

INSTANTIATE_TEST_SUITE_P(Policies, CrowdedAccountTest, testing::Values(AccountPolicy::keep, AccountPolicy::replace),
                         [](const auto& policy) { return policy.param == AccountPolicy::keep ? "Keep" : "Replace"; });

TEST(LongLineageTest, OneMoreReauthCostsNoMoreThanItsNeighbours) {
    constexpr int length = 400;
    std::vector<Delivery> deliveries{athlete(name(0), "x").at(1)};
    for (int i = 1; i < length; ++i)
        deliveries.push_back(reauth(name(i - 1), name(i)).at(i + 1));
    World world = world_of(deliveries);
    EXPECT_LE(derive(world, {reauth(name(length - 1), "new").at(1000)}).nodes.size(), 6u);
    EXPECT_LE(derive(world, {deauth(name(200)).at(1000)}).nodes.size(), 6u);
    EXPECT_LE(derive(world, {body(name(200)).at(1000)}).nodes.size(), 6u);
}

TEST(LongLineageTest, AChainOfReauthsIsNotRecursive) {
    constexpr int length = 50'000;
    std::vector<Delivery> deliveries;
    deliveries.reserve(length);
    for (int i = 1; i < length; ++i)
        deliveries.push_back(reauth(name(i - 1), name(i)).at(i));
    deliveries.push_back(athlete(name(0), "x").at(1));
    World world = world_of(deliveries);
    const auto& stored = world.store().stored();
    EXPECT_EQ(stored.at(name(length - 1)).provider_user_id, "x");
    EXPECT_EQ(stored.at(name(length - 1)).lineage_id, stored.at(name(0)).connection_id);
    EXPECT_EQ(stored.at(name(0)).status, Status::replaced);
}

TEST(LongLineageTest, ALongCycleIsNotRecursive) {
    constexpr int length = 300;
    std::vector<Delivery> deliveries;
    for (int i = 0; i < length; ++i)
        deliveries.push_back(reauth(name(i), name((i + 1) % length)).at(i));
    deliveries.push_back(athlete(name(0), "x").at(1));
    World world = world_of(deliveries);
    for (const auto& [user_id, connection] : world.store().stored()) {
        EXPECT_TRUE(connection.cyclic);
        EXPECT_EQ(connection.provider_user_id, "x");
    }
}

} // namespace
} // namespace terra_identity::test
