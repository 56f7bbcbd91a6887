// Random histories: batches of deliveries about few connections, as nasty as possible, and the
// search for a smaller history that fails in the same test.
#pragma once

#include "deliveries.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace terra_identity::test {

using History = std::vector<std::vector<Delivery>>;

/// The same history for the same seed.
History random_history(std::uint64_t seed);

/// A history without whatever it still fails without, in as many batches as it can.
History shrunk(History history, const std::function<bool(const History&)>& fails);

/// As JSON, a line per delivery.
std::string to_text(const History& history);

/// The first seed: the environment variable TEST_SEED, else 1.
std::uint64_t first_seed();

/// How many seeds: the environment variable TEST_HISTORIES, else the default.
std::uint64_t histories(std::uint64_t fallback);

} // namespace terra_identity::test
