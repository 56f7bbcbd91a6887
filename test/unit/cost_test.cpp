// The cost of an event among long chains, cycles and fan-ins of reauths, counted in queries to the store. In most cases
// it does not grow with their length. Where an event changes all of a chain, the cost for each connection is constant.
#include "counting_store.h"
#include "harness.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <tuple>

namespace terra_identity::test {
namespace {

std::string name(int number) { return "u" + std::to_string(100'000 + number); }

class CostTest : public testing::Test {
protected:
    /// Inserts a batch. @return its cost
    Cost insert(const std::vector<Delivery>& deliveries) {
        const Derived derived = derive(store_, rules_, read_all(deliveries));
        loaded_ = derived.nodes.size();
        store_.write(derived);
        return store_.take_cost();
    }

    /// A chain of reauths from 0 to the last, each a second after the one before, in one batch.
    void insert_chain(int length, const std::string& provider = "OURA") {
        std::vector<Delivery> deliveries{athlete(name(0), "x").provider(provider).at(0)};
        for (int i = 1; i < length; ++i)
            deliveries.push_back(reauth(name(i - 1), name(i)).provider(provider).at(i));
        insert(deliveries);
    }

    const Connection& stored(int number) const { return store_.stored().at(name(number)); }

    void expect_state_of_everything() {
        const Derived oracle = derive_everything(rules_, store_.all(), store_.all_reauths());
        int changed = 0;
        for (const Node& node : oracle.nodes)
            changed += node.changed() ? 1 : 0;
        EXPECT_EQ(changed, 0) << "connections are not as they would be if all were derived again";
    }

    Rules rules_ = rules_under(AccountPolicy::keep);
    CountingStore store_;
    std::size_t loaded_ = 0; ///< the number of connections that the last batch loaded
};

/// The cost for each connection if all of a chain changes: to load it with its reauths, and to query its neighbours.
constexpr std::size_t asked_per_connection = 10;

void expect_linear(const Cost& cost, int length) {
    const std::size_t limit = asked_per_connection * static_cast<std::size_t>(length) + 20;
    EXPECT_LE(cost.calls, limit);
    EXPECT_LE(cost.asked, limit);
    EXPECT_LE(cost.looked_at, limit);
}

void expect_small(const Cost& cost) {
    EXPECT_LE(cost.calls, 20u);
    EXPECT_LE(cost.asked, 40u);
    EXPECT_LE(cost.looked_at, 40u);
}

/// The time of each reauth of a chain, by its number in the chain and by its number in the order of delivery.
struct Times {
    const char* name;
    int (*time)(int number, int told);
};

void PrintTo(const Times& times, std::ostream* out) { *out << times.name; }

auto all_times() {
    return testing::Values(Times{"AsTheyHappened", [](int number, int) { return number; }},
                           Times{"AsTheyAreTold", [](int, int told) { return told; }},
                           Times{"TheOtherWayRound", [](int number, int) { return -number; }},
                           Times{"AllAtOnce", [](int, int) { return 5; }});
}

class ChainInRandomOrderTest : public CostTest, public testing::WithParamInterface<Times> {};

TEST_P(ChainInRandomOrderTest, CostsItsLengthTimesTheLogarithm) {
    constexpr int length = 1000;
    constexpr std::size_t most = 30 * length * 10; // 10 is the logarithm
    std::vector<int> order(length - 1);
    std::iota(order.begin(), order.end(), 1);
    std::shuffle(order.begin(), order.end(), std::mt19937_64(1));
    std::size_t loaded = 0;
    Cost total;
    for (int told = 0; told < length - 1; ++told) {
        const int number = order[static_cast<std::size_t>(told)];
        const int time = GetParam().time(number, told);
        const Cost cost = insert({reauth(name(number - 1), name(number)).at(time)});
        loaded += loaded_;
        total.calls += cost.calls;
        total.asked += cost.asked;
        total.looked_at += cost.looked_at;
    }
    EXPECT_LE(loaded, most);
    EXPECT_LE(total.calls, most);
    EXPECT_LE(total.asked, most);
    EXPECT_LE(total.looked_at, most);
    expect_state_of_everything();
    EXPECT_EQ(stored(length - 1).lineage_id, stored(0).lineage_id);
    for (int i = 1; i < length; ++i)
        ASSERT_TRUE(is_older(stored(i - 1), stored(i)));
}

TEST_P(ChainInRandomOrderTest, CostsItsLengthInOneBatch) {
    constexpr int length = 10'000;
    std::vector<Delivery> deliveries;
    for (int i = 1; i < length; ++i)
        deliveries.push_back(reauth(name(i - 1), name(i)).at(GetParam().time(i, 7919 * i % length)));
    insert({reauth("before", name(0)).at(length), reauth(name(length - 1), "after").at(-length)});
    expect_linear(insert(deliveries), length);
    expect_state_of_everything();
}

INSTANTIATE_TEST_SUITE_P(Times, ChainInRandomOrderTest, all_times(),
                         [](const auto& times) { return times.param.name; });

/// Many short chains: each of them one lineage, each of them all transfers, or all of them one lineage by their
/// account.
enum class Chains { lineages, transfers, one_lineage };

class ManyChainsTest : public CostTest, public testing::WithParamInterface<std::tuple<Chains, Times>> {};

/// The reauths between the chains are delivered in one batch.
TEST_P(ManyChainsTest, AreJoinedInOneBatchAtTheCostOfTheirLength) {
    constexpr int chains = 3000, length_of_each = 4, length = chains * length_of_each;
    const auto [kind, times] = GetParam();
    std::vector<Delivery> within, between;
    for (int i = 0; i < length; ++i) {
        const int time = times.time(i, 7919 * i % length);
        Delivery link = reauth(name(i - 1), name(i)).at(time);
        if (kind == Chains::transfers)
            link.payload["new_user"]["reference_id"] = name(i);
        if (i % length_of_each != 0)
            within.push_back(link);
        else if (i > 0)
            between.push_back(link);
        if (i % length_of_each == 0 && kind == Chains::one_lineage)
            within.push_back(athlete(name(i), "x").at(time));
    }
    within.push_back(auth("lonely").at(5)); // and a connection without links, which becomes older
    between.push_back(auth("lonely").at(6).created(1));
    insert(within);
    expect_linear(insert(between), length);
    expect_state_of_everything();
    EXPECT_EQ(store_.stored().at("lonely").connected_at, second(1));
}

std::string name_of(Chains kind) {
    return kind == Chains::lineages ? "Lineages" : kind == Chains::transfers ? "Transfers" : "OneLineage";
}

void PrintTo(Chains kind, std::ostream* out) { *out << name_of(kind); }

INSTANTIATE_TEST_SUITE_P(Times, ManyChainsTest,
                         testing::Combine(testing::Values(Chains::lineages, Chains::transfers, Chains::one_lineage),
                                          all_times()),
                         [](const auto& chains) {
                             return name_of(std::get<Chains>(chains.param)) + std::get<Times>(chains.param).name;
                         });

TEST_F(CostTest, WhatChangesAWholeChainCostsItsLength) {
    constexpr int length = 10'000;
    for (const char* provider : {"OURA", "APPLE"}) {
        SCOPED_TRACE(provider);
        store_ = {};
        insert_chain(length, provider);
        {
            SCOPED_TRACE("the first gets another account");
            expect_linear(insert({athlete(name(0), "y").provider(provider).at(length)}), length);
            EXPECT_EQ(stored(length - 1).provider_user_id,
                      stored(0).sdk ? std::nullopt : std::optional<std::string>("y"));
        }
        {
            SCOPED_TRACE("the last was first seen before all others");
            expect_linear(insert({body(name(length - 1)).provider(provider).at(-2 * length)}), length);
            EXPECT_EQ(stored(0).connected_at, second(-2 * length) - (length - 1));
        }
        {
            SCOPED_TRACE("the last was created before that");
            expect_linear(insert({auth(name(length - 1)).provider(provider).at(length).created(-3 * length)}), length);
            EXPECT_EQ(stored(0).connected_at, second(-3 * length) - (length - 1));
        }
        expect_state_of_everything();
    }
}

TEST_F(CostTest, WhatChangesNoOtherOfAChainCostsLittle) {
    constexpr int length = 2000;
    insert_chain(length);
    for (const int number : {0, 1, length / 2, length - 2, length - 1}) {
        SCOPED_TRACE(number);
        expect_small(insert({body(name(number)).at(length)}));
        expect_small(insert({deauth(name(number)).at(length)}));
        expect_small(insert({auth(name(number)).at(length + 1)}));
        expect_small(insert({body(name(number)).at(length).created(number)}));
    }
    {
        SCOPED_TRACE("reauths at the ends and beside");
        expect_small(insert({reauth(name(length - 1), "new").at(length)}));
        expect_small(insert({reauth("old", name(0)).at(length)}));
        expect_small(insert({reauth("aside", name(length / 2)).at(length)}));
    }
    {
        SCOPED_TRACE("the same account, heard of the last itself");
        expect_small(insert({athlete("new", "x").at(length)}));
    }
    {
        SCOPED_TRACE("another account: a link of the lineage is gone, which might fall apart");
        expect_linear(insert({athlete("new", "y").at(length)}), length);
    }
    expect_state_of_everything();
}

TEST_F(CostTest, AnEventWithinALongCycleCostsItsLength) {
    constexpr int length = 4000;
    std::vector<Delivery> deliveries{athlete(name(7), "x").at(1)};
    for (int i = 0; i < length; ++i)
        deliveries.push_back(reauth(name(i), name((i + 1) % length)).at(i));
    insert(deliveries);
    ASSERT_TRUE(stored(0).cyclic);
    ASSERT_EQ(stored(1).provider_user_id, "x");
    expect_linear(insert({auth(name(length / 2)).at(2 * length)}), length);
    expect_linear(insert({deauth(name(length / 2)).at(3 * length)}), length);
    expect_linear(insert({athlete(name(length / 2), "y").at(4 * length)}), length);
    EXPECT_EQ(stored(1).provider_user_id, "y");
    expect_linear(insert({reauth(name(length / 2), "new").at(5 * length)}), length);
    EXPECT_EQ(store_.stored().at("new").provider_user_id, "y");
    expect_linear(insert({reauth("old", name(length / 2)).at(5 * length)}), length);
    expect_linear(insert({reauth(name(3), name(length / 2)).at(6 * length)}), length);
    expect_state_of_everything();
}

TEST_F(CostTest, ALongCycleIsClosedAtTheCostOfItsLength) {
    constexpr int length = 4000;
    insert_chain(length);
    expect_linear(insert({reauth(name(length - 1), name(0)).at(length)}), length);
    EXPECT_TRUE(stored(length / 2).cyclic);
    expect_state_of_everything();
}

TEST_F(CostTest, AReauthThatMightCloseACycleButDoesNotCostsLittle) {
    constexpr int length = 2000;
    insert_chain(length);
    insert({reauth("p", "q").at(1), reauth("q", "r").at(2)});
    expect_small(insert({reauth("r", name(length / 2)).at(length)}));
    expect_small(insert({reauth(name(length / 2), "s").at(length + 1)}));
    expect_small(insert({reauth("s", "t").at(length + 2)}));
    expect_state_of_everything();
}

TEST_F(CostTest, ManyPredecessorsOfOneHeirCostTheirNumberWhereTheyCount) {
    constexpr int number = 4000;
    std::vector<Delivery> deliveries{athlete(name(0), "x").at(0)};
    for (int i = 0; i < number; ++i)
        deliveries.push_back(reauth(name(i), "heir").at(i + 1));
    insert(deliveries);
    expect_small(insert({deauth(name(number / 2)).at(2 * number)}));
    expect_small(insert({body(name(number / 2)).at(2 * number)}));
    expect_small(insert({deauth("heir").at(2 * number)}));
    expect_linear(insert({athlete(name(0), "y").at(3 * number)}), number);
    EXPECT_EQ(store_.stored().at("heir").provider_user_id, "y");
    expect_linear(insert({auth("heir").at(4 * number).created(-1)}), number);
    EXPECT_EQ(stored(number / 2).connected_at, second(-1) - 1);
    expect_state_of_everything();
}

TEST_F(CostTest, WhoComesToACrowdOrLeavesItCostsLittle) {
    constexpr int number = 4000;
    std::vector<Delivery> deliveries;
    for (int i = 0; i < number; ++i)
        deliveries.push_back(athlete(name(i), "x").reference(name(i)).at(i));
    insert(deliveries);
    expect_small(insert({athlete("new", "x").reference("new").at(number)}));
    EXPECT_TRUE(store_.stored().at("new").duplicate);
    expect_small(insert({deauth(name(7)).reference(name(7)).at(number)}));
    expect_state_of_everything();
}

} // namespace
} // namespace terra_identity::test
