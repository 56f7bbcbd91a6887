// Tests of which old passing events prune may delete: the facts of the connection stay, and the first and the last of
// each type.
#include "core/needless.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace terra_identity {
namespace {

struct Old {
    std::int64_t event_id = 0;
    Event event;
    bool disputes = false;
};

Event passing(const std::string& type, Micros time) {
    Event event;
    event.type = type;
    event.kind = EventKind::passing;
    event.user.emplace().user_id = "a";
    event.time = time;
    return event;
}

std::set<std::int64_t> needless_of(const std::vector<Old>& events) {
    NeedlessEvents decide;
    std::set<std::int64_t> needless;
    for (const Old& one : events)
        for (const std::int64_t event_id : decide.add(one.event_id, one.event, one.disputes))
            EXPECT_TRUE(needless.insert(event_id).second) << "told once";
    return needless;
}

TEST(NeedlessEventsTest, AreThoseBetweenTheFirstAndTheLast) {
    std::vector<Old> events;
    for (int i = 0; i < 10; ++i)
        events.push_back({i, passing("daily", 100 + i)});
    EXPECT_EQ(needless_of(events), (std::set<std::int64_t>{1, 2, 3, 4, 5, 6, 7, 8}));
    EXPECT_EQ(needless_of({}), std::set<std::int64_t>());
    EXPECT_EQ(needless_of({events[0]}), std::set<std::int64_t>());
    EXPECT_EQ(needless_of({events[0], events[1]}), std::set<std::int64_t>());
}

TEST(NeedlessEventsTest, AreNoneOfSeveralLastAtOneTime) {
    EXPECT_EQ(needless_of({{1, passing("daily", 1)},
                           {2, passing("daily", 2)},
                           {3, passing("daily", 3)},
                           {4, passing("daily", 3)},
                           {5, passing("sleep", 1)}}),
              (std::set<std::int64_t>{2}));
}

TEST(NeedlessEventsTest, AreNoneThatAFactNeeds) {
    std::vector<Old> events;
    for (int i = 0; i < 6; ++i)
        events.push_back({i, passing("daily", 100 + i)});
    events[2].event.user->created_at = 50;
    events[3].event.user->created_at = 60;
    events[4].event.user->reference_id = "ann";
    EXPECT_EQ(needless_of(events), (std::set<std::int64_t>{1, 3}));
}

TEST(NeedlessEventsTest, AreNotTheFirstOfEachDisputedReference) {
    std::vector<Old> events;
    for (const char* named : {"ann", "ben", "ben", "cleo", "cleo", "ann", "ann"}) {
        const auto number = static_cast<std::int64_t>(events.size());
        events.push_back({number, passing("daily", 100 + number), std::string(named) != "ann"});
        events.back().event.user->reference_id = named;
    }
    EXPECT_EQ(needless_of(events), (std::set<std::int64_t>{2, 4, 5}));
}

TEST(NeedlessEventsTest, LeaveTheFactsAsTheyAre) {
    std::mt19937 random(15);
    const auto pick = [&random](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
    std::size_t deleted = 0;
    for (int history = 0; history < 2000; ++history) {
        std::vector<Old> events(static_cast<std::size_t>(pick(30)));
        for (std::size_t i = 0; i < events.size(); ++i) {
            Event event = passing(pick(2) ? "daily" : "sleep", pick(20));
            if (pick(2))
                event.user->created_at = pick(10);
            if (pick(2))
                event.user->reference_id = std::string(1, static_cast<char>('a' + pick(3)));
            if (pick(2))
                event.user->provider = pick(2) ? "OURA" : "GARMIN";
            if (pick(2))
                event.user->scopes = pick(2) ? "x" : "y";
            events[i] = {static_cast<std::int64_t>(i), event, pick(4) == 0};
        }
        std::sort(events.begin(), events.end(), [](const Old& a, const Old& b) {
            return std::tie(a.event.type, a.event.time) < std::tie(b.event.type, b.event.time);
        });
        const std::set<std::int64_t> needless = needless_of(events);
        deleted += needless.size();
        Facts all, kept;
        std::map<std::string, std::pair<Micros, Micros>> ends_of_all, ends_of_kept;
        const auto add = [](auto& ends, const Event& event) {
            auto& [first, last] = ends.try_emplace(event.type, event.time, event.time).first->second;
            first = std::min(first, event.time);
            last = std::max(last, event.time);
        };
        for (const Old& one : events) {
            all.add_user(one.event);
            add(ends_of_all, one.event);
            if (!needless.contains(one.event_id)) {
                kept.add_user(one.event);
                add(ends_of_kept, one.event);
            }
        }
        ASSERT_EQ(all == kept, true) << history;
        ASSERT_EQ(ends_of_all, ends_of_kept) << history;
        // Deciding again, about those that stayed, finds nothing.
        std::vector<Old> rest;
        for (const Old& one : events)
            if (!needless.contains(one.event_id))
                rest.push_back(one);
        ASSERT_EQ(needless_of(rest), std::set<std::int64_t>()) << history;
    }
    EXPECT_GT(deleted, 1000U);
}

} // namespace
} // namespace terra_identity
