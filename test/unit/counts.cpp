#include "counts.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <map>
#include <string>

namespace terra_identity::test {
namespace {

std::map<std::string, std::uint64_t>& counts() {
    static std::map<std::string, std::uint64_t> all;
    return all;
}

class PrintedAtTheEnd : public testing::Environment {
    void TearDown() override {
        if (std::getenv("TEST_COUNTS") == nullptr)
            return;
        for (const auto& [what, number] : counts())
            std::cout << "counted: " << what << " " << number << "\n";
    }
};

[[maybe_unused]] testing::Environment* const printed = testing::AddGlobalTestEnvironment(new PrintedAtTheEnd);

} // namespace

void count(const char* what, std::uint64_t number) { counts()[what] += number; }

} // namespace terra_identity::test
