// What is foretold of a newcomer is what happens when it connects: every combination of policy, kind of provider,
// accounts and end users is foretold, and then played.
#include "harness.h"

#include "core/collisions.h"

#include <gtest/gtest.h>

namespace terra_identity::test {
namespace {

using Name = std::optional<std::string>;

/// A connection of one person; null: not known.
struct Person {
    Name account, reference_id;
};

std::string shown(const Person& person) {
    return "account " + person.account.value_or("-") + " of " + person.reference_id.value_or("-");
}

class CollisionsTest : public testing::TestWithParam<std::tuple<AccountPolicy, std::string>> {
protected:
    Rules rules() const { return rules_under(std::get<0>(GetParam())); }
    std::string provider() const { return std::get<1>(GetParam()); }

    Delivery connects(const std::string& user_id, const Person& person, int second) const {
        const Delivery delivery = person.account ? athlete(user_id, *person.account) : body(user_id);
        return Delivery(delivery).reference(person.reference_id.value_or("")).provider(provider()).at(second);
    }

    World world_with(const Person& present) const {
        World world(rules());
        world.insert(read_all({auth("old").reference(present.reference_id.value_or("")).provider(provider()).at(1),
                               connects("old", present, 2)}));
        return world;
    }

    /// What becomes of the connection that is there.
    std::string played(const Person& present, const Person& next) const {
        World world = world_with(present);
        world.insert(read_all({auth("new").reference(next.reference_id.value_or("")).provider(provider()).at(5),
                               connects("new", next, 6)}));
        EXPECT_EQ(world.faults(), "");
        const Connection &old_one = world.store().stored().at("old"), &new_one = world.store().stored().at("new");
        EXPECT_EQ(new_one.status, Status::active);
        if (old_one.status == Status::superseded)
            return old_one.lineage_id == new_one.lineage_id ? "reconnection" : "transfer";
        EXPECT_EQ(old_one.status, Status::active);
        return old_one.duplicate ? "duplicate" : "stays";
    }

    Connection asked(const Person& next) const {
        return newcomer(rules(), provider(), next.account, next.reference_id);
    }
};

const std::vector<Person>& people() {
    static const std::vector<Person> all{{"x", "anna"},          {"x", "bert"},          {"x", std::nullopt},
                                         {"y", "anna"},          {"y", "bert"},          {"y", std::nullopt},
                                         {std::nullopt, "anna"}, {std::nullopt, "bert"}, {std::nullopt, std::nullopt}};
    return all;
}

TEST_P(CollisionsTest, SayWhatHappens) {
    std::set<std::string> outcomes;
    for (const Person& present : people())
        for (const Person& next : people()) {
            SCOPED_TRACE(shown(present) + ", then " + shown(next));
            World world = world_with(present);
            const Connection& stored = world.store().stored().at("old");
            const Connection newcomer = asked(next);
            const bool is_of_account = newcomer.has_account() && newcomer.account() == stored.account();
            const bool is_of_end_user = next.reference_id && next.reference_id == present.reference_id;
            if (!is_of_account && !is_of_end_user) {
                EXPECT_EQ(played(present, next), "stays") << "nothing is asked about it";
                continue;
            }
            const std::string outcome(collision(newcomer, stored, false).outcome);
            outcomes.insert(outcome);
            if (outcome != "undecided") {
                EXPECT_EQ(played(present, next),
                          outcome == "second_account" || outcome == "unusable" ? "stays" : outcome);
                continue;
            }
            EXPECT_EQ(played({"z", present.reference_id}, {"z", next.reference_id}), "reconnection");
            EXPECT_EQ(played({"z", present.reference_id}, {"x", next.reference_id}), "stays");
        }
    const bool replaces = std::get<0>(GetParam()) == AccountPolicy::replace;
    const std::set<std::string> expected =
        provider() == "DASH" ? std::set<std::string>{"unusable"}
        : provider() == "APPLE"
            ? std::set<std::string>{"reconnection", "duplicate"}
            : std::set<std::string>{"reconnection", "second_account", "undecided", replaces ? "transfer" : "duplicate"};
    EXPECT_EQ(outcomes, expected);
}

TEST_P(CollisionsTest, AnAcceptedDuplicateIsCalledSo) {
    World world = world_with({"x", "anna"});
    const Collision found = collision(asked({"x", "bert"}), world.store().stored().at("old"), true);
    const bool is_duplicate = played({"x", "anna"}, {"x", "bert"}) == "duplicate";
    EXPECT_EQ(found.outcome == "accepted", is_duplicate);
}

INSTANTIATE_TEST_SUITE_P(Rules, CollisionsTest,
                         testing::Combine(testing::Values(AccountPolicy::keep, AccountPolicy::replace),
                                          testing::Values("OURA", "APPLE", "DASH")),
                         [](const auto& rules) {
                             return std::string(std::get<0>(rules.param) == AccountPolicy::keep ? "Keep" : "Replace") +
                                    std::get<1>(rules.param);
                         });

TEST(NewcomerTest, IdsAreReadAsInPayloads) {
    const Connection asked = newcomer(rules_under(AccountPolicy::replace), " oura\n", " X ", "");
    EXPECT_EQ(asked.provider(), "OURA");
    EXPECT_EQ(asked.provider_user_id, "X");
    EXPECT_EQ(asked.reference_id(), std::nullopt);
    EXPECT_TRUE(asked.account_exclusive);
}

TEST(NewcomerTest, NobodyIsOneClearSentence) {
    const Rules rules = rules_under(AccountPolicy::keep);
    const auto said = [&](Name provider, Name account, Name reference_id) {
        const Collision none = no_collision(newcomer(rules, provider, account, reference_id));
        EXPECT_EQ(none.sentence.back(), '.');
        return std::string(none.outcome) + ": " + none.sentence;
    };
    const std::set<std::string> sentences{said({}, "x", "anna"), said("OURA", {}, {}), said("OURA", {}, "anna"),
                                          said("OURA", "x", "anna"), said("DASH", "x", "anna")};
    EXPECT_EQ(sentences.size(), 5u) << "each is another";
    EXPECT_EQ(said("DASH", "x", "anna").substr(0, 9), "unusable:");
    EXPECT_EQ(said("OURA", "x", "anna").substr(0, 5), "none:");
}

} // namespace
} // namespace terra_identity::test
