// Random histories: batches of deliveries about few connections, as difficult as possible. And the search for a smaller
// history that fails the same test.
#pragma once

#include "deliveries.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace terra_identity::test {

using History = std::vector<std::vector<Delivery>>;

/// Returns a random history, the same for the same seed.
History random_history(std::uint64_t seed);

/// Returns a smaller history that still fails: without any delivery that it can do without, in as many batches as
/// possible.
History shrunk(History history, const std::function<bool(const History&)>& fails);

/// The history as JSON, one line for each delivery.
std::string to_text(const History& history);

/// The first seed: the environment variable TEST_SEED, else 1.
std::uint64_t first_seed();

/// How many seeds: the environment variable TEST_HISTORIES, else the default.
std::uint64_t histories(std::uint64_t fallback);

/// The number in this environment variable, else the default.
std::uint64_t number_in(const char* variable, std::uint64_t fallback);

} // namespace terra_identity::test
