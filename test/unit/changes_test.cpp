// What the feed says of an account and of who is on it.
#include "harness.h"

#include "core/duplicates.h"

#include <gtest/gtest.h>

namespace terra_identity::test {
namespace {

Delivery connects(int number, int second) {
    return athlete("u" + std::to_string(number), "x").reference("r" + std::to_string(number)).at(second);
}

nlohmann::json holder(int number) {
    return {{"user_id", "u" + std::to_string(number)}, {"reference_id", "r" + std::to_string(number)}};
}

/// The rows of one kind, by user_id.
std::map<std::string, nlohmann::json> details(const std::vector<Change>& changes, std::string_view kind) {
    std::map<std::string, nlohmann::json> result;
    for (const Change& change : changes)
        if (change.kind == kind)
            result.emplace(change.user_id, nlohmann::json::parse(change.detail.dump()));
    return result;
}

TEST(ChangesTest, ADuplicateNamesEverybodyOnTheAccountTheNewestFirst) {
    World world(rules_under(AccountPolicy::keep));
    world.insert(read_all({connects(1, 1)}));
    auto opened = details(world.insert(read_all({connects(2, 2)})), "duplicate_opened");
    ASSERT_EQ(opened.size(), 2u);
    EXPECT_EQ(opened["u1"], opened["u2"]);
    EXPECT_EQ(opened["u1"]["connections"], (nlohmann::json{holder(2), holder(1)}));

    opened = details(world.insert(read_all({connects(3, 3)})), "duplicate_opened");
    ASSERT_EQ(opened.size(), 1u);
    EXPECT_EQ(opened["u3"]["connections"], (nlohmann::json{holder(3), holder(2), holder(1)}));

    auto closed = details(world.insert(read_all({deauth("u1").reference("r1").at(4)})), "duplicate_closed");
    ASSERT_EQ(closed.size(), 1u);
    EXPECT_EQ(closed["u1"]["connections"], (nlohmann::json{holder(3), holder(2), holder(1)})) << "who was on it";

    closed = details(world.insert(read_all({deauth("u3").reference("r3").at(5)})), "duplicate_closed");
    ASSERT_EQ(closed.size(), 2u);
    EXPECT_EQ(closed["u2"], closed["u3"]);
    EXPECT_EQ(closed["u2"]["connections"], (nlohmann::json{holder(3), holder(2)}));
}

TEST(ChangesTest, OfACrowdNobodyIsNamed) {
    constexpr int most = static_cast<int>(max_named_holders);
    World world(rules_under(AccountPolicy::keep));
    for (int number = 1; number <= most + 2; ++number) {
        auto opened = details(world.insert(read_all({connects(number, number)})), "duplicate_opened");
        const std::string user_id = "u" + std::to_string(number);
        if (number > most) {
            EXPECT_TRUE(opened[user_id]["connections"].is_null()) << number;
        } else if (number > 1) {
            EXPECT_EQ(opened[user_id]["connections"].size(), static_cast<std::size_t>(number));
        }
    }
    auto closed = details(world.insert(read_all({deauth("u1").reference("r1").at(100)})), "duplicate_closed");
    EXPECT_TRUE(closed["u1"]["connections"].is_null());
    world.insert(read_all({deauth("u2").reference("r2").at(101)}));
    closed = details(world.insert(read_all({deauth("u3").reference("r3").at(102)})), "duplicate_closed");
    EXPECT_EQ(closed["u3"]["connections"].size(), static_cast<std::size_t>(most));
}

TEST(ChangesTest, WhoMovesToAnotherAccountIsNamedOnBoth) {
    World world(rules_under(AccountPolicy::keep));
    world.insert(read_all({connects(1, 1), connects(2, 2), athlete("u3", "y").reference("r3").at(3)}));
    const std::vector<Change> changes = world.insert(read_all({athlete("u1", "y").reference("r1").at(4)}));
    auto closed = details(changes, "duplicate_closed"), opened = details(changes, "duplicate_opened");
    EXPECT_EQ(closed["u1"], (nlohmann::json{{"provider", "OURA"},
                                            {"provider_user_id", "x"},
                                            {"connections", nlohmann::json{holder(2), holder(1)}}}));
    EXPECT_EQ(opened["u1"]["provider_user_id"], "y");
    EXPECT_EQ(opened["u1"]["connections"], (nlohmann::json{holder(3), holder(1)}));
    EXPECT_EQ(opened["u3"], opened["u1"]);
}

std::string rule(const std::vector<Delivery>& deliveries, AccountPolicy policy) {
    World world(rules_under(policy));
    auto superseded = details(world.insert(read_all(deliveries)), "superseded");
    return superseded.size() == 1 ? superseded.begin()->second["rule"].get<std::string>() : "?";
}

TEST(ChangesTest, SupersededNamesTheSlot) {
    const auto account = [](const std::string& user_id, int second) { return athlete(user_id, "x").at(second); };
    EXPECT_EQ(rule({account("a", 1), account("b", 2)}, AccountPolicy::keep), "account slot of one end user");
    EXPECT_EQ(rule({account("a", 1), account("b", 2)}, AccountPolicy::replace), "account slot under replace");
    EXPECT_EQ(rule({account("a", 1), account("b", 2).reference("bert")}, AccountPolicy::replace),
              "account slot under replace");
    EXPECT_EQ(rule({account("a", 1).provider("APPLE"), account("b", 2).provider("APPLE")}, AccountPolicy::replace),
              "account slot of one end user");
    EXPECT_EQ(
        rule({auth("a").provider("APPLE").at(1), athlete("b", "another").provider("APPLE").at(2)}, AccountPolicy::keep),
        "reference slot");
}

TEST(ChangesTest, ATransferNamesBothPeople) {
    World world(rules_under(AccountPolicy::replace));
    auto transferred = details(world.insert(read_all({connects(1, 1), connects(2, 2)})), "transferred");
    EXPECT_EQ(
        transferred["u1"],
        (nlohmann::json{
            {"from_user_id", "u1"}, {"from_reference_id", "r1"}, {"to_user_id", "u2"}, {"to_reference_id", "r2"}}));
}

} // namespace
} // namespace terra_identity::test
