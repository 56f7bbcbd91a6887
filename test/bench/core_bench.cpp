// Measures the core alone, on one core of the machine: facts and rules over whole histories, as a rebuild has them
// between reading the ledger and writing the state, and over single events, as a statement with one event has them.
//
// Prints `name value` lines; times in milliseconds unless the name says otherwise. Every figure is the median of its
// runs. TEST_SEED chooses another history.
#include "history.h"

#include "core/changes.h"
#include "core/derivation.h"
#include "core/everything.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace terra_identity::bench {
namespace {

constexpr int runs = 5;
constexpr std::uint64_t singles = 20'000;

/// Has nothing, or one connection.
class SmallStore : public Store {
public:
    std::vector<Connection> connections(const std::vector<std::string>&) override {
        return stored ? std::vector{*stored} : std::vector<Connection>();
    }
    std::vector<Reauth> reauths(const std::vector<std::string>&) override { return {}; }
    bool has_transfers() override { return false; }
    std::vector<Connection> neighbours(const std::vector<NeighbourQuery>&, const UserIds&) override { return {}; }
    std::vector<Connection> group_members(const std::vector<Group>&, const UserIds&) override { return {}; }
    std::vector<Connection> active_connections(const std::vector<AccountQuery>&) override { return {}; }
    std::vector<Connection> lineages(const std::vector<std::int64_t>&) override { return {}; }
    std::int64_t new_connection_id() override { return next_connection_id_++; }

    std::optional<Connection> stored;

private:
    std::int64_t next_connection_id_ = 1;
};

/// Folds what was derived into a number: nobody may leave it out, and two versions of the core can be compared.
class Checksum {
public:
    void add(const Derived& derived) {
        for (const Node& node : derived.nodes)
            sum_ += of(node.now);
    }

    void add(std::uint64_t number) { sum_ += number; }

    std::uint64_t sum() const { return sum_; }

private:
    static std::uint64_t of(const Connection& connection) {
        std::uint64_t hash = std::hash<std::string>()(connection.user_id);
        const auto mix = [&hash](std::uint64_t value) { hash = (hash ^ value) * 0x9e3779b97f4a7c15; };
        const auto mix_text = [&mix](const std::optional<std::string>& text) {
            mix(text ? std::hash<std::string>()(*text) : 0);
        };
        mix(static_cast<std::uint64_t>(connection.connection_id));
        mix(static_cast<std::uint64_t>(connection.lineage_id));
        mix(static_cast<std::uint64_t>(connection.status));
        mix(static_cast<std::uint64_t>(connection.ended_at.value_or(0)));
        mix(static_cast<std::uint64_t>(connection.place().connected_at));
        mix((connection.duplicate ? 1 : 0) + (connection.cyclic ? 2 : 0) + (connection.sdk ? 4 : 0));
        mix_text(connection.provider_user_id);
        mix_text(connection.successor_user_id);
        mix_text(connection.reference_id());
        mix_text(connection.scopes());
        return hash;
    }

    std::uint64_t sum_ = 0;
};

/// Seconds that this thread has had a core, and seconds that have passed: they differ where others use the machine too.
struct Times {
    double core = 0;
    double wall = 0;

    static Times now() { return {seconds_of(CLOCK_THREAD_CPUTIME_ID), seconds_of(CLOCK_MONOTONIC)}; }

private:
    static double seconds_of(clockid_t clock) {
        timespec time{};
        clock_gettime(clock, &time);
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
    }
};

double core_seconds_since(const Times& start) { return Times::now().core - start.core; }

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

Rules rules() {
    Rules result;
    result.sdk_providers = {"APPLE", "HEALTH_CONNECT", "SAMSUNG"};
    return result;
}

/// @return events per second
double measure_history(std::size_t size, Checksum& checksum) {
    const char* seed = std::getenv("TEST_SEED");
    const std::vector<Event> events = shuffled_history(size, seed != nullptr ? std::strtoull(seed, nullptr, 10) : 1);
    std::vector<double> fold_times, derive_times, times, wall_times;
    std::size_t connections = 0;
    for (int run = 0; run < runs; ++run) {
        SmallStore store;
        const Rules applied = rules();
        const Times start = Times::now();
        Fold ledger;
        ledger.add(events);
        fold_times.push_back(core_seconds_since(start));
        const Derived derived =
            derive_everything(applied, std::move(ledger), {}, {}, [&store] { return store.new_connection_id(); });
        times.push_back(core_seconds_since(start));
        wall_times.push_back(Times::now().wall - start.wall);
        derive_times.push_back(times.back() - fold_times.back());
        checksum.add(derived);
        connections = derived.nodes.size();
    }
    std::printf("connections_%zu %zu\n", size, connections);
    std::printf("fold_ms_%zu %.1f\n", size, median(fold_times) * 1e3);
    std::printf("derive_ms_%zu %.1f\n", size, median(derive_times) * 1e3);
    std::printf("wall_ms_%zu %.1f\n", size, median(wall_times) * 1e3);
    const double rate = static_cast<double>(size) / median(times);
    std::printf("events_per_second_%zu %.0f\n", size, rate);
    return rate;
}

/// What a statement with this event does between reading and writing.
void apply(const Event& event, Store& store, const Rules& rules, Checksum& checksum) {
    Derivation derivation(store, rules);
    const std::vector<Contribution> contributions = contributions_of(event);
    derivation.require({contributions.front().user_id});
    for (const Contribution& contribution : contributions)
        derivation.tell(contribution, 1);
    const Derived derived = derivation.derive();
    checksum.add(derived);
    checksum.add(derived.keys.size());
    checksum.add(changes_of(derived).size());
}

Connection connection_after(const Event& event, const Rules& rules) {
    SmallStore store;
    Derivation derivation(store, rules);
    derivation.require({event.user->user_id});
    derivation.tell(contributions_of(event).front(), 1);
    return derivation.derive().nodes.begin()->now;
}

/// @return nanoseconds for each event
double measure_single(const Event& event, const std::optional<Connection>& stored, Checksum& checksum) {
    const Rules applied = rules();
    SmallStore store;
    store.stored = stored;
    std::vector<double> times;
    for (int run = 0; run < runs; ++run) {
        const Times start = Times::now();
        for (std::uint64_t i = 0; i < singles; ++i)
            apply(event, store, applied, checksum);
        times.push_back(core_seconds_since(start) * 1e9 / singles);
    }
    return median(times);
}

void measure() {
    Checksum checksum;
    measure_history(10'000, checksum);
    measure_history(100'000, checksum);
    std::printf("events_per_second %.0f\n", measure_history(1'000'000, checksum));
    std::printf("single_auth_ns %.0f\n", measure_single(auth_of(7), std::nullopt, checksum));
    std::printf("single_athlete_ns %.0f\n",
                measure_single(athlete_of(7), connection_after(auth_of(7), rules()), checksum));
    std::printf("checksum %016llx\n", static_cast<unsigned long long>(checksum.sum()));
}

} // namespace
} // namespace terra_identity::bench

int main() { terra_identity::bench::measure(); }
