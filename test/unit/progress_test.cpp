// Progress: when a sentence is due, and what it says, by a clock of the test's own.
#include "core/progress.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

namespace terra_identity::test {
namespace {

constexpr Micros start = 1'000 * micros_per_second;

Micros after(double seconds) { return start + static_cast<Micros>(seconds * micros_per_second); }

Progress begun(std::optional<std::uint64_t> total) {
    Progress progress("rebuild", start);
    progress.begin("events read", total, start);
    return progress;
}

TEST(ProgressTest, TellsAfterTwoSecondsAndThenEveryFive) {
    Progress progress = begun(1000);
    std::vector<double> told;
    for (double seconds = 0; seconds < 14; seconds += 0.25)
        if (progress.at(1, after(seconds)))
            told.push_back(seconds);
    EXPECT_EQ(told, (std::vector<double>{2, 7, 12}));
}

TEST(ProgressTest, AStepDoesNotTellAnew) {
    Progress progress = begun({});
    EXPECT_TRUE(progress.at(1, after(2)));
    progress.begin("connections written", {}, after(3));
    EXPECT_FALSE(progress.at(1, after(6.9)));
    EXPECT_TRUE(progress.at(1, after(7)));
}

TEST(ProgressTest, SaysHowManyHowFastAndHowLong) {
    EXPECT_EQ(begun(5'000'000).at(1'200'000, after(3)),
              "rebuild: 1,200,000 of 5,000,000 events read, 400,000/s, about 10 s left");
    EXPECT_EQ(begun(1'000).at(1'000, after(4)), "rebuild: 1,000 of 1,000 events read, 250/s, about 0 s left");
}

TEST(ProgressTest, CountsTheTimeOfTheStep) {
    Progress progress = begun({});
    progress.begin("connections written", 300, after(10));
    EXPECT_EQ(progress.at(100, after(12)), "rebuild: 100 of 300 connections written, 50/s, about 4 s left");
}

TEST(ProgressTest, WithoutATotalItSaysNoTimeLeft) {
    EXPECT_EQ(begun({}).at(999, after(3)), "rebuild: 999 events read, 333/s");
}

TEST(ProgressTest, ATotalThatWasTooLowIsLeftOut) {
    EXPECT_EQ(begun(100).at(300, after(3)), "rebuild: 300 events read, 100/s");
}

TEST(ProgressTest, AShareStandsInForTheTotal) {
    EXPECT_EQ(begun({}).at(1'200'000, 0.24, after(3)),
              "rebuild: 1,200,000 events read (24 %), 400,000/s, about 10 s left");
}

TEST(ProgressTest, NothingDoneHasNoRate) {
    EXPECT_EQ(begun(100).at(0, after(3)), "rebuild: 0 of 100 events read");
    Progress progress = begun({});
    progress.begin("connections derived", 7, after(3));
    EXPECT_EQ(progress.at(0, after(3)), "rebuild: 0 of 7 connections derived");
    EXPECT_EQ(begun(0).at(0, after(3)), "rebuild: 0 of 0 events read");
}

TEST(ProgressTest, TimeLeftInUnitsThatFit) {
    EXPECT_EQ(begun(90).at(1, after(2)), "rebuild: 1 of 90 events read, 1/s, about 3 min left");
    EXPECT_EQ(begun(36'000).at(10, after(10)), "rebuild: 10 of 36,000 events read, 1/s, about 10 h left");
}

TEST(ProgressTest, AClockThatGoesBackDoesNoHarm) {
    Progress progress = begun(10);
    progress.begin("events read", 10, after(100));
    EXPECT_EQ(progress.at(5, after(50)), "rebuild: 5 of 10 events read");
}

} // namespace
} // namespace terra_identity::test
