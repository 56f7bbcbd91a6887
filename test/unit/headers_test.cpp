// Tests of reading the headers of a delivery, which web frameworks pass on in many forms.
#include "core/envelope.h"
#include "core/event_reader.h"
#include "core/headers.h"

#include <gtest/gtest.h>

#include <string>

namespace terra_identity {
namespace {

using nlohmann::json;

constexpr Micros received_at = 1'767'225'600 * micros_per_second; // 2026-01-01 00:00 UTC
constexpr Micros ordering = received_at - 1'500'000;

/// Reads headers, and their envelope, which must say the same of an event.
Headers read(const json& headers) {
    const Headers result = read_headers(NlohmannView(headers), received_at);
    const auto text = envelope_of_headers(NlohmannView(headers), received_at);
    const json envelope = text ? json::parse(*text) : json();
    const Headers again = read_headers(NlohmannView(envelope), received_at);
    EXPECT_EQ(again.ordering, result.ordering) << headers;
    EXPECT_EQ(again.problem, result.problem) << headers;
    EXPECT_EQ(text.has_value(), result.ordering || !result.problem.empty()) << headers;
    EXPECT_EQ(envelope_of_headers(NlohmannView(envelope), received_at), text) << headers;
    return result;
}
Headers read(const char* headers) { return read(json::parse(headers)); }

TEST(HeadersTest, NamesAreComparedWithoutRegardToCase) {
    for (const char* headers :
         {R"({"X-Terra-Ordering-Timestamp":"1767225598500","X-Terra-Trace-Id":"t-1"})",
          R"({"x-terra-ordering-timestamp":"1767225598500","x-terra-trace-id":"t-1"})",
          R"({"X-TERRA-ORDERING-TIMESTAMP":"1767225598500","X-TERRA-TRACE-ID":"t-1"})",
          R"({"x-Terra-ORDERING-timestamp":"1767225598500","host":"h","x-TERRA-trace-ID":"t-1","a":"r"})"}) {
        EXPECT_EQ(read(headers).ordering, ordering) << headers;
        EXPECT_EQ(read(headers).trace_id, "t-1") << headers;
        EXPECT_EQ(read(headers).problem, "") << headers;
    }
}

TEST(HeadersTest, OtherNamesAreOthers) {
    const Headers headers = read(R"({"terra-reference":"r","x-terra-trace-id ":"t","xterra-trace-id":"t","trace-id":"t",
        "x_terra_trace_id":"t","x-terra-ordering-timestamps":"1767225598500","":"t"})");
    EXPECT_EQ(headers.trace_id, std::nullopt);
    EXPECT_EQ(headers.ordering, std::nullopt);
}

TEST(HeadersTest, WhatIsNoObjectHasNone) {
    for (const char* headers :
         {"null", "[]", "5", R"("x-terra-trace-id: t")", R"([["x-terra-trace-id","t"]])", "true"}) {
        EXPECT_EQ(read(headers).trace_id, std::nullopt) << headers;
        EXPECT_EQ(read(headers).ordering, std::nullopt) << headers;
        EXPECT_EQ(read(headers).problem, "") << headers;
    }
    EXPECT_EQ(read_headers(NlohmannView(), received_at).trace_id, std::nullopt);
}

struct Value {
    const char* value;
    std::optional<Micros> ordering;
};

TEST(HeadersTest, TheOrderingTimestampIsAStringOrAnIntegerOrTheFirstOfAnArray) {
    const Value table[] = {
        {R"("1767225598500")", ordering},
        {R"(" 1767225598500 ")", ordering},
        {R"(1767225598500)", ordering},
        {R"(["1767225598500"])", ordering},
        {R"(["1767225598500","1"])", ordering},
        {R"([1767225598500])", ordering},
        {R"("0")", std::nullopt},
        {R"([])", std::nullopt},
        {R"([["1767225598500"]])", std::nullopt},
        {R"([null,"1767225598500"])", std::nullopt},
        {R"({"0":"1767225598500"})", std::nullopt},
        {R"(null)", std::nullopt},
        {R"(true)", std::nullopt},
        {R"(1767225598500.5)", std::nullopt},
        {R"(-1)", std::nullopt},
        {R"(18446744073709551615)", std::nullopt},
        {R"("")", std::nullopt},
        {R"("2026-01-01T00:00:00Z")", std::nullopt},
        {R"("1767225598500, 1767225598501")", std::nullopt},
        // a day after the delivery, and later
        {R"("1767312000000")", received_at + micros_per_day},
        {R"("1767312000001")", std::nullopt},
        {R"(1767312000001)", std::nullopt},
        {R"("999999999999999999")", std::nullopt},
        // from a sender that mistakes seconds, or microseconds, for milliseconds
        {R"("1767225598")", std::nullopt},
        {R"("1767225598500000")", std::nullopt},
    };
    for (const auto& [value, time] : table) {
        const Headers headers = read(json::parse(R"({"X-Terra-Ordering-Timestamp":)" + std::string(value) + "}"));
        EXPECT_EQ(headers.ordering, time) << value;
        EXPECT_EQ(headers.problem, "") << value;
    }
}

TEST(HeadersTest, OfNamesThatDifferInCaseTheFirstCounts) {
    const Headers headers =
        read(R"({"X-Terra-Ordering-Timestamp":"1767225598500","X-Terra-Trace-Id":"first","dev-ID":"a",
        "dev-id":"b","x-terra-ordering-timestamp":"1767225598501","x-terra-trace-id":"second"})");
    EXPECT_EQ(headers.trace_id, "first");
    EXPECT_EQ(headers.dev_id, "a");
    EXPECT_EQ(headers.ordering, 1767225598500 * 1000);
}

TEST(HeadersTest, TheDevIdIsAStringOrTheFirstOfAnArray) {
    const auto dev_id = [](const char* value) { return read(json::parse(R"({"DEV-id":)" + std::string(value) + "}")); };
    EXPECT_EQ(dev_id(R"(" acme-prod-AbCdEf123\n")").dev_id, "acme-prod-AbCdEf123");
    EXPECT_EQ(dev_id(R"(["a","b"])").dev_id, "a");
    for (const char* none : {"null", "7", "{}", "[]", "[7]", R"("")", R"(" ")"}) {
        EXPECT_EQ(dev_id(none).dev_id, std::nullopt) << none;
        EXPECT_EQ(dev_id(none).problem, "") << none;
    }
    EXPECT_EQ(read({{"dev-id", std::string(512, 'd')}}).dev_id, std::string(512, 'd'));
    const Headers headers = read({{"dev-id", std::string(513, 'd')}, {"X-Terra-Trace-Id", "t"}});
    EXPECT_EQ(headers.dev_id, std::nullopt);
    EXPECT_EQ(headers.trace_id, "t");
    EXPECT_EQ(headers.problem, "the dev-id header is longer than 512 bytes");
}

struct TraceId {
    const char* value;
    std::optional<std::string> trace_id;
};

TEST(HeadersTest, TheTraceIdIsAStringOrTheFirstOfAnArray) {
    const TraceId table[] = {
        {R"("t-1")", "t-1"},
        {R"(" t-1\n")", "t-1"},
        {R"("T-1:chunk:2")", "T-1:chunk:2"},
        {R"(["t-1"])", "t-1"},
        {R"(["t-1","t-2"])", "t-1"},
        {R"([])", std::nullopt},
        {R"([["t-1"]])", std::nullopt},
        {R"([7])", std::nullopt},
        {R"(7)", std::nullopt},
        {R"({})", std::nullopt},
        {R"(null)", std::nullopt},
        {R"(true)", std::nullopt},
        {R"("")", std::nullopt},
        {R"(" \t ")", std::nullopt},
    };
    for (const auto& [value, trace_id] : table) {
        const Headers headers = read(json::parse(R"({"x-terra-trace-id":)" + std::string(value) + "}"));
        EXPECT_EQ(headers.trace_id, trace_id) << value;
        EXPECT_EQ(headers.problem, "") << value;
    }
}

TEST(HeadersTest, ATraceIdOfMoreThan512BytesIsAProblem) {
    const std::string longest(512, 't');
    EXPECT_EQ(read({{"x-terra-trace-id", " " + longest + " "}}).trace_id, longest);
    const Headers headers = read({{"x-terra-trace-id", longest + "t"}});
    EXPECT_EQ(headers.trace_id, std::nullopt);
    EXPECT_EQ(headers.problem, "the trace id is longer than 512 bytes");
    const json payload{{"type", "body"}, {"user", {{"user_id", "a"}}}};
    const Event event = read_event(NlohmannView(payload), headers, received_at);
    EXPECT_EQ(event.problem, "the trace id is longer than 512 bytes");
    EXPECT_EQ(event.kind, EventKind::nothing);
}

} // namespace
} // namespace terra_identity
