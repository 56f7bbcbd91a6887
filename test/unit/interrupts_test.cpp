// A long loop can be stopped: whatever goes over the members of a slot, a lineage, a chain of reauths or an account
// asks for interrupts at every member.
#include "core/differences.h"
#include "core/interrupts.h"
#include "core/reference_history.h"
#include "harness.h"

#include <gtest/gtest.h>

namespace terra_identity::test {
namespace {

struct Stopped {};

std::size_t asked = 0;
std::size_t stop_after = 0;

void count_and_stop() {
    if (++asked == stop_after)
        throw Stopped{};
}

/// Interrupts are pending as long as there is one of these.
class Pending {
public:
    explicit Pending(std::size_t stop) : before_(interrupts) {
        static constexpr std::sig_atomic_t always = 1;
        asked = 0;
        stop_after = stop;
        interrupts = {&always, count_and_stop};
    }
    ~Pending() { interrupts = before_; }
    Pending(const Pending&) = delete;
    Pending& operator=(const Pending&) = delete;

private:
    Interrupts before_;
};

std::string name(int number) { return "u" + std::to_string(1000 + number); }

struct Shape {
    const char* what;
    std::vector<Delivery> deliveries;
    Delivery news; ///< concerns all members
};

std::vector<Shape> shapes_of(int members) {
    Shape slot{"one slot", {}, athlete(name(members / 2), "y").at(5000)};
    Shape account{"one account", {}, deauth(name(0)).at(5000)};
    Shape chain{"a chain of reauths", {}, athlete(name(0), "x").at(5000)};
    Shape cycle{"a cycle of reauths", {}, athlete(name(0), "x").at(5000)};
    for (int i = 0; i < members; ++i) {
        slot.deliveries.push_back(athlete(name(i), "x").at(i + 1));
        account.deliveries.push_back(athlete(name(i), "x").reference(name(i)).at(i + 1));
        chain.deliveries.push_back(reauth(name(i), name(i + 1)).at(i + 1));
        cycle.deliveries.push_back(reauth(name(i), name((i + 1) % members)).at(i + 1));
    }
    return {slot, account, chain, cycle};
}

constexpr int members = 200;

TEST(InterruptsTest, EverythingAsksAtEveryMember) {
    for (const Shape& shape : shapes_of(members)) {
        World world(rules_under(AccountPolicy::keep));
        const std::vector<Event> events = read_all(shape.deliveries);
        world.insert(events);
        const auto derive_all = [&] {
            return derive_everything(world.rules(), fold_of(events), world.store().all(),
                                     {world.store().stored_reauths().begin(), world.store().stored_reauths().end()},
                                     [&] { return world.store().new_connection_id(); });
        };
        const Pending pending(0);
        const Derived derived = derive_all();
        EXPECT_GT(asked, 5 * members) << shape.what;
        const std::size_t before = asked;
        differences_of(derived);
        EXPECT_GE(asked - before, members) << shape.what;
    }
}

TEST(InterruptsTest, NewsOfLongLineagesAskAtEveryMember) {
    for (const Shape& shape : shapes_of(members)) {
        World world(rules_under(AccountPolicy::keep));
        const Pending pending(0);
        world.insert(read_all(shape.deliveries));
        EXPECT_GT(asked, 5 * members) << shape.what;
    }
}

TEST(InterruptsTest, AHistoryAsksAtEveryTimeThatIsWritten) {
    ReferenceHistory history(name(0));
    for (int i = 0; i < members; ++i)
        history.add(read(auth(name(0)).at(i)));
    const Pending pending(0);
    history.periods({});
    EXPECT_GE(asked, members);
}

TEST(InterruptsTest, TheDerivationStopsWhereverItIs) {
    for (const Shape& shape : shapes_of(20)) {
        World world(rules_under(AccountPolicy::replace));
        world.insert(read_all(shape.deliveries));
        std::size_t all = 0;
        {
            const Pending pending(0);
            derive(world.store(), world.rules(), read_all({shape.news}));
            all = asked;
        }
        ASSERT_GT(all, 0u) << shape.what;
        for (std::size_t stop = 1; stop <= all; stop += all / 20 + 1) {
            const Pending pending(stop);
            EXPECT_THROW(derive(world.store(), world.rules(), read_all({shape.news})), Stopped) << shape.what;
        }
        EXPECT_EQ(world.faults(), "") << shape.what;
    }
}

} // namespace
} // namespace terra_identity::test
