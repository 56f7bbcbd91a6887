#include "exported.h"

#include "harness.h"

#include <cstdlib>
#include <fstream>
#include <optional>

namespace terra_identity::test {
namespace {

using nlohmann::json;

template <class T>
json or_null(const std::optional<T>& value) {
    return value ? json(*value) : json();
}

json event_of(const Delivery& delivery) {
    return {{"payload", delivery.payload},
            {"headers", delivery.headers},
            {"received_at", delivery.received_at},
            {"entered", delivery.is_entered}};
}

json row_of(const Truth& truth) {
    return {{"status", truth.status},
            {"successor_user_id", or_null(truth.successor_user_id)},
            {"ended_at", or_null(truth.ended_at)},
            {"connected_at", truth.connected_at},
            {"provider_user_id", or_null(truth.provider_user_id)},
            {"duplicate", truth.duplicate},
            {"lineage", truth.lineage},
            {"resolved", or_null(truth.resolved)}};
}

} // namespace

json exported(const std::string& name, const std::vector<Delivery>& deliveries, const std::vector<Rules>& rules) {
    json line = {{"name", name},
                 {"events", json::array()},
                 {"sdk_providers", rules.front().sdk_providers},
                 {"unusable_providers", rules.front().unusable_providers},
                 {"states", json::object()}};
    for (const Delivery& delivery : deliveries)
        line["events"].push_back(event_of(delivery));
    const std::vector<Event> events = read_all(deliveries);
    for (const Rules& one : rules) {
        json& state = line["states"][one.account_policy == AccountPolicy::keep ? "keep" : "replace"];
        for (const auto& [user_id, truth] : brute_force(events, one))
            state[user_id] = row_of(truth);
    }
    return line;
}

void export_one_in(std::uint64_t seeds, std::uint64_t seed, const History& history, const Rules& rules) {
    const char* const file = std::getenv("TEST_EXPORT");
    if (file == nullptr || seed % seeds != 0)
        return;
    std::vector<Delivery> deliveries;
    for (const std::vector<Delivery>& batch : history)
        deliveries.insert(deliveries.end(), batch.begin(), batch.end());
    std::ofstream(file, std::ios::app) << exported("seed " + std::to_string(seed), deliveries, {rules}) << "\n";
}

} // namespace terra_identity::test
