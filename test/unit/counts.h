// Counts what tests have done, for `make check-long`: with TEST_COUNTS set, each is printed at the end of the process
// as a line `counted: WHAT N`.
#pragma once

#include <cstdint>

namespace terra_identity::test {

void count(const char* what, std::uint64_t number = 1);

} // namespace terra_identity::test
