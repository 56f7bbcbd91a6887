// Facts combine in any order: merging is associative, commutative and idempotent, and `absorbs` predicts whether it
// changes anything. Also: an ended connection does not become active without proof of life; which connections are
// dated; which connections a user_reauth links.
#include "deliveries.h"
#include "history.h"

#include "core/facts.h"

#include <gtest/gtest.h>

#include <random>

namespace terra_identity::test {
namespace {

/// Random facts, also such as no single event contributes, with so few different values that many are equal.
class RandomFacts {
public:
    explicit RandomFacts(std::uint64_t seed) : random_(seed) {}

    Facts operator()() {
        Facts facts;
        facts.created_at = time();
        facts.first_seen_at = time();
        facts.live = chance();
        facts.confirmed = chance();
        facts.alive_at = time();
        facts.replaced = written(false);
        facts.deauthenticated_at = time();
        facts.revoked_at = time();
        facts.failed_at = time();
        facts.degraded_at = time();
        facts.provider = written(chance());
        facts.reference_id = written(chance());
        facts.scopes = written(chance());
        facts.provider_user_id = written(false);
        return facts;
    }

private:
    int below(int limit) { return std::uniform_int_distribution(0, limit - 1)(random_); }
    bool chance() { return below(2) == 0; }
    std::optional<Micros> time() { return chance() ? std::optional<Micros>(below(4)) : std::nullopt; }
    Register written(bool passing) {
        if (chance())
            return std::nullopt;
        return Written{std::string(1, static_cast<char>('a' + below(3))), below(3), passing};
    }

    std::mt19937_64 random_;
};

Facts merged(Facts a, const Facts& b) {
    a.merge(b);
    return a;
}

template <class Property>
void for_random_facts(const Property& property) {
    for (std::uint64_t seed = first_seed(), end = seed + histories(20'000); seed < end; ++seed) {
        RandomFacts facts(seed);
        const Facts a = facts(), b = facts(), c = facts();
        ASSERT_TRUE(property(a, b, c)) << "TEST_SEED=" << seed;
    }
}

TEST(FactsTest, MergingIsAssociative) {
    for_random_facts([](const Facts& a, const Facts& b, const Facts& c) {
        return merged(merged(a, b), c) == merged(a, merged(b, c));
    });
}

TEST(FactsTest, MergingIsCommutative) {
    for_random_facts([](const Facts& a, const Facts& b, const Facts&) { return merged(a, b) == merged(b, a); });
}

TEST(FactsTest, MergingIsIdempotent) {
    for_random_facts([](const Facts& a, const Facts& b, const Facts&) {
        return merged(a, a) == a && merged(merged(a, b), b) == merged(a, b);
    });
}

TEST(FactsTest, EmptyFactsAddNothing) {
    for_random_facts([](const Facts& a, const Facts&, const Facts&) {
        return merged(a, Facts()) == a && merged(Facts(), a) == a && a.absorbs(Facts());
    });
}

TEST(FactsTest, WhatIsAbsorbedChangesNothingAndNothingElseIs) {
    for_random_facts([](const Facts& a, const Facts& b, const Facts&) {
        return a.absorbs(b) == (merged(a, b) == a) && merged(a, b).absorbs(b) && merged(a, b).absorbs(a);
    });
}

TEST(FactsTest, SettledFactsAbsorbTheSamePassingEvents) {
    int settled_ones = 0, absorbed = 0;
    for_random_facts([&](const Facts& a, const Facts& b, const Facts&) {
        const auto what_is_left = settled(a);
        if (!what_is_left)
            return true;
        const auto in_passing = [](Register written) {
            if (written)
                written->passing = true;
            return written;
        };
        Facts passing;
        passing.live = true;
        passing.created_at = b.created_at;
        passing.first_seen_at = b.first_seen_at;
        passing.provider = in_passing(b.provider);
        passing.reference_id = in_passing(b.reference_id);
        passing.scopes = in_passing(b.scopes);
        ++settled_ones;
        absorbed += a.absorbs(passing);
        return what_is_left->absorbs(passing) == a.absorbs(passing);
    });
    if (histories(20'000) >= 20'000) {
        EXPECT_LT(0, absorbed);
        EXPECT_LT(absorbed, settled_ones);
    }
}

TEST(FactsTest, DataDisputesAnEarlierIdentityEvent) {
    const Register ann = Written{"ann", 5, false}, ann_in_passing = Written{"ann", 5, true};
    const auto data = [](const char* name, Micros at) { return Register(Written{name, at, true}); };
    EXPECT_TRUE(disputes(ann, data("bob", 6)));
    EXPECT_FALSE(disputes(ann, data("ann", 6)));
    EXPECT_FALSE(disputes(ann, data("bob", 5))) << "it was under way when ann was named";
    EXPECT_FALSE(disputes(ann, std::nullopt));
    EXPECT_FALSE(disputes(std::nullopt, data("bob", 6)));
    EXPECT_FALSE(disputes(ann_in_passing, data("bob", 6))) << "nobody has said that it is ann";
}

struct Ending {
    const char* name;
    std::vector<Delivery> deliveries; ///< all about `a`
    bool ended;
};

void PrintTo(const Ending& ending, std::ostream* out) { *out << ending.name; }

class EndingTest : public testing::TestWithParam<Ending> {};

TEST_P(EndingTest, Ended) {
    Facts facts;
    for (const Event& event : read_all(GetParam().deliveries))
        for (const Contribution& contribution : contributions_of(event))
            if (contribution.user_id == "a")
                facts.merge(contribution.facts);
    EXPECT_EQ(facts.ended(), GetParam().ended);
}

INSTANTIATE_TEST_SUITE_P(
    DeadConnections, EndingTest,
    testing::Values(Ending{"Nothing", {}, false}, Ending{"Alive", {auth("a").at(1)}, false},
                    Ending{"Deauth", {deauth("a").at(1)}, true}, Ending{"Revoked", {access_revoked("a").at(1)}, true},
                    Ending{"Failed", {auth_error("a").at(1)}, true}, Ending{"Replaced", {reauth("a", "b").at(1)}, true},
                    Ending{"ReplacedNothing", {reauth("b", "a").at(1)}, false},
                    Ending{"ProofBefore", {auth("a").at(1), deauth("a").at(2)}, true},
                    Ending{"ProofAtTheSameTime", {auth("a").at(2), deauth("a").at(2)}, true},
                    Ending{"ProofAfter", {auth("a").at(3), deauth("a").at(2)}, false},
                    Ending{"ProofAfterOneEndOnly", {auth("a").at(3), deauth("a").at(2), auth_error("a").at(4)}, true},
                    Ending{"ProofAfterAllEnds",
                           {auth("a").at(9), deauth("a").at(2), auth_error("a").at(4), access_revoked("a").at(5),
                            reauth("a", "b").at(6)},
                           false},
                    Ending{"ProofByReauth", {reauth("b", "a").at(3), deauth("a").at(2)}, false},
                    Ending{"NoProofWithoutATimeOfTheSender", {auth("a").received(3), deauth("a").at(2)}, true},
                    Ending{"ProofByCreatedAt", {auth("a").received(5).created(3), deauth("a").at(2)}, false},
                    Ending{"NoProofByAnOldCreatedAt", {auth("a").received(5).created(1), deauth("a").at(2)}, true},
                    Ending{"OrderingTakenBeforeCreatedAt", {auth("a").at(1).created(3), deauth("a").at(2)}, true},
                    Ending{"NoProofByData", {body("a").at(3).created(3), deauth("a").at(2)}, true},
                    Ending{"NoProofByAthlete", {athlete("a", "x").at(3).created(3), deauth("a").at(2)}, true},
                    Ending{"NoProofByConnectionError", {connection_error("a").at(3), deauth("a").at(2)}, true},
                    Ending{"NoProofByPermissionChange", {permission_change("a").at(3), deauth("a").at(2)}, true},
                    Ending{"NoProofByBeingOld", {reauth("a", "b").at(3).old_created(9)}, true}),
    [](const auto& ending) { return ending.param.name; });

Facts facts_of(const Delivery& delivery) { return contributions_of(read(delivery)).back().facts; }

TEST(DatedTest, WhoHasACreatedAtOrIsConfirmedIsDated) {
    EXPECT_FALSE(Facts().dated());
    for (const Delivery& delivery :
         {body("a"), athlete("a", "x"), permission_change("a"), connection_error("a"), deauth("a"), auth_error("a")}) {
        EXPECT_FALSE(facts_of(delivery.at(5)).dated()) << delivery.payload;
        EXPECT_TRUE(facts_of(delivery.at(5).created(3)).dated()) << delivery.payload;
    }
    EXPECT_TRUE(facts_of(auth("a").received(5)).dated());
    EXPECT_TRUE(facts_of(reauth("b", "a").received(5)).dated());
    EXPECT_FALSE(contributions_of(read(reauth("a", "b").at(5))).front().facts.dated());
    EXPECT_TRUE(contributions_of(read(reauth("a", "b").at(5).old_created(3))).front().facts.dated());
}

TEST(DatedTest, CreatedAtCountsBeforeTheFirstSight) {
    EXPECT_EQ(facts_of(body("a").at(5)).connected_at(), second(5));
    EXPECT_EQ(facts_of(body("a").at(5).created(3)).connected_at(), second(3));
    EXPECT_EQ(facts_of(body("a").at(5).created(9)).connected_at(), second(9));
}

/// Whether a user_reauth between these reference_ids is a transfer.
bool is_transfer_between(const nlohmann::json& from, const nlohmann::json& to, const nlohmann::json& at_the_top) {
    Delivery delivery = reauth("a", "b");
    delivery.payload["old_user"]["reference_id"] = from;
    delivery.payload["new_user"]["reference_id"] = to;
    delivery.payload["reference_id"] = at_the_top;
    return reauth_of(read(delivery))->transfer;
}

TEST(ReauthTest, IsATransferIfItNamesTwoPeople) {
    const nlohmann::json null;
    EXPECT_TRUE(is_transfer_between("anna", "bert", null));
    EXPECT_TRUE(is_transfer_between("anna", "Anna", null));
    EXPECT_TRUE(is_transfer_between("anna", 7, null));
    EXPECT_TRUE(is_transfer_between("anna", null, "bert"));
    EXPECT_TRUE(is_transfer_between(null, "anna", "bert"));
    EXPECT_FALSE(is_transfer_between("anna", "anna", null));
    EXPECT_FALSE(is_transfer_between("anna", " anna ", null));
    EXPECT_FALSE(is_transfer_between("7", 7, null));
    EXPECT_FALSE(is_transfer_between("anna", null, null));
    EXPECT_FALSE(is_transfer_between("anna", " ", null));
    EXPECT_FALSE(is_transfer_between(null, "anna", null));
    EXPECT_FALSE(is_transfer_between(null, null, null));
    EXPECT_FALSE(is_transfer_between(null, null, "anna"));
    EXPECT_FALSE(is_transfer_between("anna", null, "anna"));
}

TEST(ReauthTest, OnlyAReauthOfTwoConnectionsIsOne) {
    EXPECT_EQ(reauth_of(read(auth("a"))), std::nullopt);
    EXPECT_EQ(reauth_of(read(reauth("", "a"))), std::nullopt);
    EXPECT_EQ(reauth_of(read(reauth("a", "a"))), std::nullopt);
    EXPECT_EQ(reauth_of(read(reauth("a", "b"))), (Reauth{"a", "b", false}));
}

/// The register after all these values are written to it, in this order.
Register written(const std::vector<Written>& all) {
    Facts facts;
    for (const Written& one : all) {
        Facts other;
        other.reference_id = one;
        facts.merge(other);
    }
    return facts.reference_id;
}

TEST(RegisterTest, TheLastIdentityEventWins) {
    EXPECT_EQ(written({{"a", 2, false}, {"b", 1, false}})->value, "a");
    EXPECT_EQ(written({{"a", 2, false}, {"b", 3, false}})->value, "b");
}

TEST(RegisterTest, EqualTimesGoToTheGreaterValueByteByByte) {
    EXPECT_EQ(written({{"a", 2, false}, {"b", 2, false}})->value, "b");
    EXPECT_EQ(written({{"\xc3\xa9", 2, false}, {"z", 2, false}})->value, "\xc3\xa9");
    EXPECT_EQ(written({{std::string("a\0b", 3), 2, false}, {"a", 2, false}})->value, std::string("a\0b", 3));
}

TEST(RegisterTest, TheFirstPassingEventWins) {
    EXPECT_EQ(written({{"a", 2, true}, {"b", 1, true}})->value, "b");
    EXPECT_EQ(written({{"a", 1, true}, {"b", 2, true}})->value, "a");
    EXPECT_EQ(written({{"b", 1, true}, {"a", 1, true}})->value, "a");
}

TEST(RegisterTest, AnyIdentityEventWinsOverAnyPassingEvent) {
    EXPECT_EQ(written({{"a", 5, false}, {"b", 1, true}, {"c", 9, true}})->value, "a");
}

} // namespace
} // namespace terra_identity::test
