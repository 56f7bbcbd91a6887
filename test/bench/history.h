// A history of an environment as it might have come in over some years, for measuring.
#pragma once

#include "core/event.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace terra_identity::bench {

/// So many events that name connections, about three for each connection, in random order. The same for the same seed.
std::vector<Event> shuffled_history(std::size_t events, std::uint64_t seed);

/// An `auth` and an athlete event that gives the connection an account of its own; the same connection for the same
/// number.
Event auth_of(std::uint64_t number);
Event athlete_of(std::uint64_t number);

} // namespace terra_identity::bench
