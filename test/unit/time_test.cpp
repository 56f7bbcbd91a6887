// Tests of the two forms in which Terra sends times, and of which times are believed.
#include "core/time.h"

#include <gtest/gtest.h>

#include <string>

namespace terra_identity {
namespace {

constexpr Micros seconds(std::int64_t count) { return count * micros_per_second; }

struct Readable {
    std::string text;
    Micros time;
};

TEST(Iso8601Test, IsRead) {
    const Readable table[] = {
        {"1970-01-01T00:00:00Z", 0},
        // separators, seconds, zones
        {"2001-09-09T01:46:40Z", seconds(1'000'000'000)},
        {"2001-09-09 01:46:40Z", seconds(1'000'000'000)},
        {"2001-09-09T01:46:40", seconds(1'000'000'000)},
        {"2001-09-09T01:46", seconds(999'999'960)},
        {"2001-09-09T01:46Z", seconds(999'999'960)},
        {"2001-09-09T01:46+00", seconds(999'999'960)},
        {"2001-09-09T01:46:40+00:00", seconds(1'000'000'000)},
        {"2001-09-09T03:46:40+02", seconds(1'000'000'000)},
        {"2001-09-09T03:46:40+0200", seconds(1'000'000'000)},
        {"2001-09-09T03:46:40+02:00", seconds(1'000'000'000)},
        {"2001-09-08T22:16:40-03:30", seconds(1'000'000'000)},
        {"2001-09-08T22:16:40-0330", seconds(1'000'000'000)},
        {"2001-09-09T07:31:40+05:45", seconds(1'000'000'000)},
        {"2001-09-10T01:45:40+23:59", seconds(1'000'000'000)},
        {"2001-09-09T01:46:40-00:00", seconds(1'000'000'000)},
        {" \t\n\r\v\f2001-09-09T01:46:40Z \t\n\r\v\f", seconds(1'000'000'000)},
        // fractions
        {"2001-09-09T01:46:40.5Z", seconds(1'000'000'000) + 500'000},
        {"2001-09-09T01:46:40.123456+00:00", seconds(1'000'000'000) + 123'456},
        {"2001-09-09T01:46:40.000001Z", seconds(1'000'000'000) + 1},
        {"2001-09-09T01:46:40.0000009Z", seconds(1'000'000'000)},
        {"2001-09-09T01:46:40.123456999", seconds(1'000'000'000) + 123'456},
        {"2001-09-09T01:46:40." + std::string(400, '9') + "Z", seconds(1'000'000'000) + 999'999},
        // before 1970
        {"1969-12-31T23:59:59Z", seconds(-1)},
        {"1969-12-31T23:59:59.25Z", -750'000},
        {"0001-01-01T00:00:00Z", seconds(-62'135'596'800)},
        {"9999-12-31T23:59:59Z", seconds(253'402'300'799)},
        // leap years
        {"2024-02-29T00:00:00Z", seconds(1'709'164'800)},
        {"2024-03-01T00:00:00Z", seconds(1'709'251'200)},
        {"2023-03-01T00:00:00Z", seconds(1'677'628'800)},
        {"2000-02-29T00:00:00Z", seconds(951'782'400)},
        {"2100-03-01T00:00:00Z", seconds(4'107'542'400)},
        {"2026-01-01T00:00:00+01:00", seconds(1'767'222'000)},
        {"2026-12-31T23:00:00-02:00", seconds(1'798'765'200)},
    };
    for (const auto& [text, time] : table)
        EXPECT_EQ(parse_iso8601(text), time) << text;
}

TEST(Iso8601Test, IsNullForAnythingElse) {
    const std::string table[] = {"",
                                 " ",
                                 "null",
                                 "0",
                                 "now",
                                 "2024",
                                 "2024-02",
                                 "2024-02-03",
                                 "2024-02-03T",
                                 "2024-02-03T10",
                                 "2024-02-03T10Z",
                                 "2024-02-03T1:00",
                                 "2024-2-3T10:00",
                                 "24-02-03T10:00",
                                 "02024-02-03T10:00",
                                 "-2024-02-03T10:00",
                                 "+2024-02-03T10:00",
                                 "20240203T1000",
                                 "2024-02-03T1000",
                                 "2024-02-03T10:00:",
                                 "2024-02-03T10:00:0",
                                 "2024-02-03T10:00:00.",
                                 "2024-02-03T10:00:00.Z",
                                 "2024-02-03T10:00:00,5Z",
                                 "2024-02-03T10:00.5Z",
                                 "2024-02-03t10:00:00Z",
                                 "2024-02-03T10:00:00z",
                                 "2024-02-03  10:00:00Z",
                                 "2024-02-03T10:00:00 Z",
                                 "2024-02-03T10:00:00 +02:00",
                                 "2024-02-03T10:00:00ZZ",
                                 "2024-02-03T10:00:00Z+02",
                                 "2024-02-03T10:00:00UTC",
                                 "2024-02-03T10:00:00+",
                                 "2024-02-03T10:00:00+2",
                                 "2024-02-03T10:00:00+020",
                                 "2024-02-03T10:00:00+02:",
                                 "2024-02-03T10:00:00+02:0",
                                 "2024-02-03T10:00:00+02:00:00",
                                 "2024-02-03T10:00:00+24:00",
                                 "2024-02-03T10:00:00+02:60",
                                 "2024-02-03T24:00:00Z",
                                 "2024-02-03T10:60:00Z",
                                 "2024-02-03T10:00:60Z",
                                 "2024-13-01T00:00:00Z",
                                 "2024-00-01T00:00:00Z",
                                 "2024-01-00T00:00:00Z",
                                 "2024-01-32T00:00:00Z",
                                 "2024-04-31T00:00:00Z",
                                 "2023-02-29T00:00:00Z",
                                 "1900-02-29T00:00:00Z",
                                 "2100-02-29T00:00:00Z",
                                 "2024-02-30T00:00:00Z",
                                 "0000-01-01T00:00:00Z",
                                 "2024/02/03T10:00:00Z",
                                 "2024-02-03T10-00-00Z",
                                 "2024-02-03T10:00:00Zjunk",
                                 "x2024-02-03T10:00:00Z",
                                 "2024-02-03T10:00:0xZ",
                                 "2024-02-0\xc2\xb3T10:00:00Z",
                                 std::string("2024-02-03T10:00:00Z\0", 21)};
    for (const std::string& text : table)
        EXPECT_EQ(parse_iso8601(text), std::nullopt) << text;
}

TEST(Iso8601Test, IsFormattedAndReadBack) {
    EXPECT_EQ(format_iso8601(0), "1970-01-01T00:00:00Z");
    EXPECT_EQ(format_iso8601(seconds(1'000'000'000) + 5), "2001-09-09T01:46:40.000005Z");
    EXPECT_EQ(format_iso8601(-1), "1969-12-31T23:59:59.999999Z");
    EXPECT_EQ(format_iso8601(seconds(1'709'164'800)), "2024-02-29T00:00:00Z");
    EXPECT_EQ(format_iso8601(seconds(971'890'963'199)), "32767-12-31T23:59:59Z");
    EXPECT_EQ(format_iso8601(seconds(971'890'963'200)), "971890963200000000 microseconds since 1970");
    for (Micros time = seconds(-62'135'596'800); time < seconds(253'402'300'799); time += 7'654'321'987'654)
        ASSERT_EQ(parse_iso8601(format_iso8601(time)), time) << format_iso8601(time);
}

struct Ordering {
    std::string text;
    std::optional<Micros> time;
};

TEST(OrderingTimestampTest, IsMilliseconds) {
    const Ordering table[] = {{"0", 0},
                              {"1", 1000},
                              {"1767225600123", 1'767'225'600'123'000},
                              {"0001767225600123", 1'767'225'600'123'000},
                              {" 1767225600123\n", 1'767'225'600'123'000},
                              {"009223372036854775", 9'223'372'036'854'775'000},
                              {"9223372036854776", std::nullopt},
                              {"999999999999999999", std::nullopt},
                              {"0000000000000000001", std::nullopt},
                              {"", std::nullopt},
                              {" ", std::nullopt},
                              {"-1", std::nullopt},
                              {"+1", std::nullopt},
                              {"1.0", std::nullopt},
                              {"1e3", std::nullopt},
                              {"0x10", std::nullopt},
                              {"1 2", std::nullopt},
                              {"12a", std::nullopt},
                              {std::string("1\0", 2), std::nullopt},
                              {"\xd9\xa1\xd9\xa2", std::nullopt},
                              {"2026-01-01T00:00:00Z", std::nullopt}};
    for (const auto& [text, time] : table)
        EXPECT_EQ(parse_ordering_timestamp(text), time) << text;
}

TEST(BelievedTest, NotBeforeTerraWasThere) {
    const Micros received_at = seconds(1'500'000'000);
    EXPECT_EQ(believed(parse_iso8601("2015-01-01T00:00:00Z"), received_at), seconds(1'420'070'400));
    EXPECT_EQ(believed(parse_iso8601("2014-12-31T23:59:59.999999Z"), received_at), std::nullopt);
    EXPECT_EQ(believed(parse_iso8601("0001-01-01T00:00:00Z"), received_at), std::nullopt);
    EXPECT_EQ(believed(parse_ordering_timestamp("1500000000"), received_at), std::nullopt); // it is in seconds
    EXPECT_EQ(believed(parse_iso8601("2015-01-01T00:00:00Z"), seconds(0)), std::nullopt);
}

TEST(BelievedTest, UntilADayAfterTheDelivery) {
    const Micros received_at = seconds(1'500'000'000);
    EXPECT_EQ(believed(received_at + micros_per_day, received_at), received_at + micros_per_day);
    EXPECT_EQ(believed(received_at + micros_per_day + 1, received_at), std::nullopt);
    EXPECT_EQ(believed(std::nullopt, received_at), std::nullopt);
}

} // namespace
} // namespace terra_identity
