// test/data/scenarios.jsonl has every scenario, for those who play them without C++: test/model compares the states
// that the core derives with its own, and plays them by SQL. TEST_WRITE=1 writes the file anew.
#include "exported.h"
#include "harness.h"
#include "scenarios.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace terra_identity::test {
namespace {

constexpr const char* path = TEST_DATA_DIR "/scenarios.jsonl";

TEST(ScenariosFileTest, HasEveryScenario) {
    std::string lines;
    for (const Scenario& scenario : all_scenarios())
        lines += exported(scenario.name, scenario.deliveries,
                          {rules_under(AccountPolicy::keep), rules_under(AccountPolicy::replace)})
                     .dump() +
                 "\n";
    if (std::getenv("TEST_WRITE") != nullptr)
        std::ofstream(path) << lines;
    std::stringstream file;
    file << std::ifstream(path).rdbuf();
    EXPECT_TRUE(file.str() == lines)
        << "a scenario has changed: TEST_WRITE=1 build/unit/unit_tests --gtest_filter=ScenariosFileTest.*";
}

} // namespace
} // namespace terra_identity::test
