// Ids in sentences: what is hostile in them stays visible, and cannot be taken for a part of the sentence.
#include "core/wording.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace terra_identity::test {
namespace {

const std::vector<std::string> hostile_ids{
    "plain",
    R"(a" is active. "b)",
    "back\\slash\\",
    "two\nlines\r\tand more",
    "\x01\x1f\x7f",
    "<script>alert(1)</script>",
    "\u202Egnp.exe\u202C",
    "\u05D0\u05D1\u05D2",
    "zero\u200Bwidth\uFEFF",
    "non\u00A0breaking, \u2028 line",
    "t\u00EAte-\u00E0-t\u00EAte \u4E2D\u6587 \U0001F600",
    "\U000E0041\U0001E900",
    std::string(512, '"'),
    "",
};

TEST(WordingTest, QuotedIdsAreJsonStrings) {
    for (const std::string& id : hostile_ids)
        EXPECT_EQ(nlohmann::json::parse(quote(id)), id);
}

TEST(WordingTest, NothingInAQuotedIdEndsItOrHidesItself) {
    for (const std::string& id : hostile_ids) {
        const std::string text = escaped(id);
        for (std::size_t i = 0; i < text.size(); ++i) {
            EXPECT_GE(static_cast<unsigned char>(text[i]), 0x20) << text;
            EXPECT_NE(text[i], '\x7f');
            if (text[i] == '\\')
                ++i;
            else
                EXPECT_NE(text[i], '"') << text;
        }
        for (const char* hidden : {"\u202E", "\u202C", "\u200B", "\uFEFF", "\u2028", "\u00A0", "\u05D0", "\U000E0041"})
            EXPECT_EQ(text.find(hidden), std::string::npos) << text;
    }
    EXPECT_EQ(quote("t\u00EAte \u4E2D \U0001F600"), "\"t\u00EAte \u4E2D \U0001F600\"");
}

TEST(WordingTest, BytesThatAreNoUtf8DoNotSwallowAQuote) {
    for (const char* id : {"\xE9\"", "\xE9\x41\"", "\xF0\x9F\"", "\xFF\"", "\xC3"}) {
        const std::string text = escaped(id);
        for (std::size_t i = 0; i < text.size(); ++i)
            if (text[i] == '"') {
                EXPECT_TRUE(i > 0 && text[i - 1] == '\\') << text;
            }
    }
}

TEST(WordingTest, TimesAreUtc) {
    EXPECT_EQ(utc(*parse_iso8601("2026-03-01T08:00:00Z")), "2026-03-01 08:00:00 UTC");
    EXPECT_EQ(utc(*parse_iso8601("2026-03-01T08:00:00.000001+02:00")), "2026-03-01 06:00:00.000001 UTC");
}

TEST(WordingTest, Lists) {
    EXPECT_EQ(list_of({}), "");
    EXPECT_EQ(list_of({"a"}), "a");
    EXPECT_EQ(list_of({"a", "b"}), "a and b");
    EXPECT_EQ(list_of({"a", "b", "c"}), "a, b and c");
    EXPECT_EQ(count_of(1, "event"), "1 event");
    EXPECT_EQ(count_of(2, "event"), "2 events");
}

} // namespace
} // namespace terra_identity::test
