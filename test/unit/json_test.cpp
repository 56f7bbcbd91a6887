// Tests of `digits_of_exponents`: what a JSON text stands for may be much longer than the text.
#include "core/json.h"

#include <gtest/gtest.h>

#include <string>

namespace terra_identity {
namespace {

TEST(DigitsOfExponentsTest, AreThoseOfNumbers) {
    EXPECT_EQ(digits_of_exponents(""), 0U);
    EXPECT_EQ(digits_of_exponents(R"([1, -2.5, true, false, null, "text"])"), 0U);
    EXPECT_EQ(digits_of_exponents("1e131071"), 131071U);
    EXPECT_EQ(digits_of_exponents("[1e5,2E+10,-1.5e-7]"), 22U);
    EXPECT_EQ(digits_of_exponents(R"({"a":1e3,"b":{"c":[2e4]}})"), 7U);
    EXPECT_EQ(digits_of_exponents("[1e007]"), 7U);
    EXPECT_EQ(digits_of_exponents("[1e1,1e1"), 2U); // stops at the end of the text
}

TEST(DigitsOfExponentsTest, TextIsNone) {
    EXPECT_EQ(digits_of_exponents(R"(["1e9", "4e123456-0e99", "\"1e9", "\\", 1e2, "1e9\\\"1e9"])"), 2U);
    EXPECT_EQ(digits_of_exponents(R"({"1e9":1e1})"), 1U);
    EXPECT_EQ(digits_of_exponents(R"("1e9)"), 0U);
    EXPECT_EQ(digits_of_exponents("\"\\"), 0U);
}

TEST(DigitsOfExponentsTest, DoNotOverflow) {
    EXPECT_GE(digits_of_exponents("1e99999999999999999999999999999999"), 1'000'000U);
    EXPECT_LT(digits_of_exponents("1e99999999999999999999999999999999"), 10'000'000U);
}

} // namespace
} // namespace terra_identity
