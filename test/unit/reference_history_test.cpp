// Whose a connection was: the periods of single stories, and of random histories at every time against the rule itself.
#include "deliveries.h"
#include "history.h"

#include "core/reference_history.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <tuple>

namespace terra_identity::test {
namespace {

std::vector<ReferencePeriod> periods_of(const std::string& user_id, const std::vector<Event>& events,
                                        const Register& reference_id = std::nullopt) {
    ReferenceHistory history(user_id);
    for (const Event& event : events)
        history.add(event);
    return history.periods(reference_id);
}

/// Periods as text: `anna <5 bert` was anna's before second 5, and bert's from then on.
std::string told(const std::vector<ReferencePeriod>& periods) {
    std::string result;
    for (const ReferencePeriod& period : periods)
        result += (result.empty() ? "" : " ") + period.reference_id +
                  (period.to ? " <" + std::to_string((*period.to - epoch) / micros_per_second) : "");
    return result;
}

struct Story {
    const char* name;
    std::vector<Delivery> deliveries;
    const char* told; ///< the history of `a`
};

void PrintTo(const Story& story, std::ostream* out) { *out << story.name; }

Delivery handed_over(const std::string& from, const std::string& to) {
    Delivery delivery = reauth("a", "b").reference(from);
    delivery.payload["new_user"]["reference_id"] = to;
    return delivery;
}

class StoryTest : public testing::TestWithParam<Story> {};

TEST_P(StoryTest, HasOneHistoryInEveryOrder) {
    std::vector<Event> events = read_all(GetParam().deliveries);
    const auto order = [](const Event& a, const Event& b) {
        return std::tie(a.time, a.type, a.user->reference_id) < std::tie(b.time, b.type, b.user->reference_id);
    };
    std::sort(events.begin(), events.end(), order);
    do {
        EXPECT_EQ(told(periods_of("a", events)), GetParam().told);
        std::vector<Event> twice = events;
        twice.insert(twice.end(), events.begin(), events.end());
        EXPECT_EQ(told(periods_of("a", twice)), GetParam().told);
    } while (std::next_permutation(events.begin(), events.end(), order));
}

INSTANTIATE_TEST_SUITE_P(
    ReferenceHistory, StoryTest,
    testing::Values(
        Story{"Nothing", {}, ""}, Story{"OneWriterSinceEver", {auth("a").at(5)}, "anna"},
        Story{"WhoWritesNobody", {auth("a").at(1).reference("")}, ""},
        Story{"ANewName", {auth("a").at(1), permission_change("a").at(5).reference("bert")}, "anna <5 bert"},
        Story{"TheSameNameAgainIsOnePeriod",
              {auth("a").at(1), auth("a").at(3), auth("a").at(5).reference("bert"), auth("a").at(7).reference("bert")},
              "anna <5 bert"},
        Story{
            "ToAndFro",
            {auth("a").at(1), auth("a").at(2).reference("bert"), auth("a").at(3), deauth("a").at(4).reference("cleo")},
            "anna <2 bert <3 anna <4 cleo"},
        Story{"WhoWritesNobodyChangesNothing", {auth("a").at(1), auth("a").at(5).reference("")}, "anna"},
        Story{"TheGreaterValueOfOneTime", {auth("a").at(5), deauth("a").at(5).reference("bert")}, "bert"},
        Story{"TheGreaterValueOfALaterTime",
              {auth("a").at(1).reference("zoe"), auth("a").at(5), deauth("a").at(5).reference("bert")},
              "zoe <5 bert"},
        Story{"EveryKindOfIdentityEvent",
              {auth("a").at(1).reference("1"), auth_error("a").at(2).reference("2"), deauth("a").at(3).reference("3"),
               access_revoked("a").at(4).reference("4"), permission_change("a").at(5).reference("5"),
               connection_error("a").at(6).reference("6"), athlete("a", "x").at(7).reference("7")},
              "1 <2 2 <3 3 <4 4 <5 5 <6 6 <7 7"},
        Story{"AsTheNewOneOfAReauth", {reauth("b", "a").at(1), auth("a").at(5).reference("bert")}, "anna <5 bert"},
        Story{"TheOldOneOfAReauth", {auth("a").at(1), handed_over("bert", "cleo").at(5)}, "anna <5 bert"},
        Story{"TheNewOneIsNotTheOldOne", {handed_over("anna", "bert").at(5)}, "anna"},
        Story{"PassingEventsDoNotCount", {body("a").at(1), body("a").at(9).reference("bert")}, ""},
        Story{"PassingEventsDoNotCountBesideOthers",
              {body("a").at(1).reference("bert"), auth("a").at(5), body("a").at(9).reference("bert")},
              "anna"},
        Story{"WhatOthersSayDoesNotCount", {auth("a").at(1), auth("b").at(5).reference("bert")}, "anna"}),
    [](const auto& story) { return story.param.name; });

TEST(ReferenceHistoryTest, ProblemsDoNotCount) {
    Delivery unknown_status = auth("a").at(5).reference("bert");
    unknown_status.payload["status"] = "perhaps";
    ASSERT_NE(read(unknown_status).problem, "");
    EXPECT_EQ(told(periods_of("a", read_all({auth("a").at(1), unknown_status}))), "anna");
}

TEST(ReferenceHistoryTest, AReferenceAtTheTopIsThatOfBoth) {
    Delivery delivery = reauth("a", "b").at(5).reference("");
    delivery.payload["reference_id"] = "bert";
    for (const char* user_id : {"a", "b"})
        EXPECT_EQ(told(periods_of(user_id, {read(delivery)})), "bert");
}

TEST(ReferenceHistoryTest, WhatAPassingEventSaysIsForWhoWasNeverNamed) {
    const Written in_passing{"dora", second(1), true};
    EXPECT_EQ(told(periods_of("a", {}, in_passing)), "dora");
    EXPECT_EQ(told(periods_of("a", read_all({auth("a").at(1).reference("")}), in_passing)), "dora");
    EXPECT_EQ(told(periods_of("a", read_all({auth("a").at(1)}), in_passing)), "anna");
}

TEST(ReferenceHistoryTest, NothingIsKnownIfTheEventThatNamedHerIsMissing) {
    EXPECT_EQ(told(periods_of("a", {}, Written{"dora", second(1), false})), "");
}

TEST(ReferenceHistoryTest, APeriodBeginsWhereTheOneBeforeItEnds) {
    const auto periods = periods_of("a", read_all({auth("a").at(1), deauth("a").at(5).reference("bert")}));
    EXPECT_EQ(periods,
              (std::vector<ReferencePeriod>{{"anna", std::nullopt, second(5)}, {"bert", second(5), std::nullopt}}));
    EXPECT_EQ(period_at(periods, second(5) - 1), &periods[0]);
    EXPECT_EQ(period_at(periods, second(5)), &periods[1]);
    EXPECT_EQ(period_at(periods, INT64_MIN), &periods[0]);
    EXPECT_EQ(period_at(periods, INT64_MAX), &periods[1]);
    EXPECT_EQ(period_at({}, second(5)), nullptr);
}

/// The end user that identity events give a connection at a time: the greatest (time, value) of those written until
/// then; before the first, what is first.
std::optional<std::string> by_the_rule(const std::string& user_id, const std::vector<Event>& events, Micros time) {
    std::set<std::pair<Micros, std::string>> written;
    for (const Event& event : events)
        for (const auto& user : {event.user, event.old_user})
            if (is_identity(event.kind) && user && user->user_id == user_id && user->reference_id)
                written.emplace(event.time, *user->reference_id);
    if (written.empty())
        return std::nullopt;
    const Micros until = std::max(time, written.begin()->first);
    std::optional<std::string> last;
    for (const auto& [at, reference_id] : written)
        if (at <= until)
            last = reference_id;
    return last;
}

TEST(ReferenceHistoryTest, AtEveryTimeTheLastWriterOfThen) {
    std::size_t changes = 0;
    for (std::uint64_t seed = first_seed(), end = seed + histories(2000); seed < end; ++seed) {
        std::vector<Event> events;
        for (const std::vector<Delivery>& batch : random_history(seed))
            for (const Event& event : read_all(batch))
                events.push_back(event);
        std::set<std::string> user_ids;
        std::set<Micros> times{INT64_MIN, INT64_MAX};
        for (const Event& event : events) {
            for (const Contribution& contribution : contributions_of(event))
                user_ids.insert(contribution.user_id);
            times.insert({event.time - 1, event.time});
        }
        for (const std::string& user_id : user_ids) {
            const auto periods = periods_of(user_id, events);
            changes += periods.empty() ? 0 : periods.size() - 1;
            for (const Micros time : times) {
                const ReferencePeriod* const period = period_at(periods, time);
                ASSERT_EQ(period == nullptr ? std::nullopt : std::optional(period->reference_id),
                          by_the_rule(user_id, events, time))
                    << "TEST_SEED=" << seed << ", " << user_id << " at " << time;
            }
            for (std::size_t i = 1; i < periods.size(); ++i) {
                ASSERT_NE(periods[i - 1].reference_id, periods[i].reference_id) << "TEST_SEED=" << seed;
                ASSERT_EQ(periods[i - 1].to, periods[i].from) << "TEST_SEED=" << seed;
            }
        }
    }
    EXPECT_GT(changes, 0u);
}

} // namespace
} // namespace terra_identity::test
