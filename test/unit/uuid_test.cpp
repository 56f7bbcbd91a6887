// Ids as uuids, as PostgreSQL's cast reads them. sql/views.sql compares the two.
#include "core/uuid.h"

#include <gtest/gtest.h>

#include <string>

namespace terra_identity::test {
namespace {

constexpr Uuid expected{0x5f, 0x1c, 0x9a, 0x70, 0x0d, 0x3e, 0x4f, 0x0b, 0x9a, 0x51, 0x10, 0x20, 0x30, 0x40, 0x50, 0xef};

TEST(UuidTest, ReadsEveryFormThatTheCastReads) {
    for (const char* const text : {"5f1c9a70-0d3e-4f0b-9a51-1020304050ef", "5F1C9A70-0D3E-4F0B-9A51-1020304050EF",
                                   "5f1c9a700d3e4f0b9a511020304050ef", "{5f1c9a70-0d3e-4f0b-9a51-1020304050ef}",
                                   "5f1c-9a70-0d3e-4f0b-9a51-1020-3040-50ef", "5f1c9a700d3e-4f0b9a51-1020304050ef"})
        EXPECT_EQ(parse_uuid(text), expected) << text;
}

TEST(UuidTest, IsNullForEverythingElse) {
    for (const char* const text :
         {"", "{", "}", "{}", "u1", "5f1c9a70-0d3e-4f0b-9a51-1020304050e", "5f1c9a70-0d3e-4f0b-9a51-1020304050eff",
          "5f1c9a70-0d3e-4f0b-9a51-1020304050eg", "{5f1c9a70-0d3e-4f0b-9a51-1020304050ef",
          "5f1c9a70-0d3e-4f0b-9a51-1020304050ef}", "5f1c9a70--0d3e-4f0b-9a51-1020304050ef",
          "5f-1c9a70-0d3e-4f0b-9a51-1020304050ef", "5f1c9a70-0d3e-4f0b-9a51-1020304050ef-",
          "-5f1c9a70-0d3e-4f0b-9a51-1020304050ef", " 5f1c9a70-0d3e-4f0b-9a51-1020304050ef"})
        EXPECT_EQ(parse_uuid(text), std::nullopt) << text;
    EXPECT_EQ(parse_uuid(std::string("5f1c9a70-0d3e-4f0b-9a51-1020304050e") + '\0'), std::nullopt);
}

} // namespace
} // namespace terra_identity::test
