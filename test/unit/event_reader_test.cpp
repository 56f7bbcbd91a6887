// Tests with odd payloads: every row of "Reading a payload" in docs/rules.md, and the texts of all problems.
#include "core/entered.h"
#include "core/envelope.h"
#include "core/event_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace terra_identity {
namespace {

using nlohmann::json;

constexpr Micros received_at = 1'767'225'600 * micros_per_second; // 2026-01-01 00:00 UTC

/// Reads an event, and its envelope, which must be the same event.
Event read(const json& payload, const Headers& headers = {}) {
    const Event event = read_event(NlohmannView(payload), headers, received_at);
    const std::string text = envelope_of(NlohmannView(payload));
    const json envelope = json::parse(text);
    EXPECT_TRUE(read_event(NlohmannView(envelope), headers, received_at) == event) << text;
    EXPECT_EQ(envelope_of(NlohmannView(envelope)), text);
    return event;
}

Event read(const char* payload) { return read(json::parse(payload)); }

/// A payload with the value in place of VALUE.
json payload_with(std::string payload, const std::string& value) {
    payload.replace(payload.find("VALUE"), 5, value);
    return json::parse(payload);
}

struct Problem {
    const char* payload;
    const char* problem;
};

TEST(EventReaderTest, ProblemsSayWhatIsWrong) {
    const Problem table[] = {
        // the payload
        {R"(null)", "the payload is not a JSON object"},
        {R"([])", "the payload is not a JSON object"},
        {R"([{"type":"auth"}])", "the payload is not a JSON object"},
        {R"("auth")", "the payload is not a JSON object"},
        {R"(7)", "the payload is not a JSON object"},
        // type
        {R"({})", R"("type" is missing or not a string)"},
        {R"({"user":{"user_id":"a"}})", R"("type" is missing or not a string)"},
        {R"({"type":null})", R"("type" is missing or not a string)"},
        {R"({"type":""})", R"("type" is missing or not a string)"},
        {R"({"type":" \t"})", R"("type" is missing or not a string)"},
        {R"({"type":5})", R"("type" is missing or not a string)"},
        {R"({"type":{"type":"auth"}})", R"("type" is missing or not a string)"},
        {R"({"type":["auth"]})", R"("type" is missing or not a string)"},
        {R"({"type":5,"athlete":{},"user":{"user_id":"a"}})", R"("type" is missing or not a string)"},
        {R"({"athlete":{}})", R"("type" is missing or not a string)"},
        {R"({"athlete":null,"user":{"user_id":"a"}})", R"("type" is missing or not a string)"},
        {R"({"athlete":{},"user":[]})", R"("type" is missing or not a string)"},
        // user
        {R"({"type":"auth","status":"success"})", R"("user" is missing)"},
        {R"({"type":"deauth","user":null})", R"("user" is missing)"},
        {R"({"type":"access_revoked","user":"a"})", R"("user" is not a JSON object)"},
        {R"({"type":"permission_change","user":["a"]})", R"("user" is not a JSON object)"},
        {R"({"type":"connection_error","user":{}})", R"("user.user_id" is missing or empty)"},
        {R"({"type":"athlete","athlete":{}})", R"("user" is missing)"},
        {R"({"type":"athlete","user":{"user_id":null}})", R"("user.user_id" is missing or empty)"},
        {R"({"athlete":{},"user":{}})", R"("user.user_id" is missing or empty)"},
        {R"({"type":"body","user":{"user_id":""}})", R"("user.user_id" is missing or empty)"},
        {R"({"type":"body","user":{"user_id":" \n "}})", R"("user.user_id" is missing or empty)"},
        {R"({"type":"body","user":{"user_id":17}})", R"("user.user_id" is not a string)"},
        {R"({"type":"body","user":{"user_id":{"id":"a"}}})", R"("user.user_id" is not a string)"},
        {R"({"type":"a_new_type","user":7})", R"("user" is not a JSON object)"},
        {R"({"type":"a_new_type","user":{}})", R"("user.user_id" is missing or empty)"},
        {R"({"type":"a_new_type","user":false})", R"("user" is not a JSON object)"},
        // ids
        {R"({"type":"body","user":{"user_id":"a","provider":5}})", R"("user.provider" is not a string)"},
        {R"({"type":"body","user":{"user_id":"a","reference_id":5.5}})",
         R"("user.reference_id" is neither a string nor a 64-bit integer)"},
        {R"({"type":"body","user":{"user_id":"a","reference_id":["r"]}})",
         R"("user.reference_id" is neither a string nor a 64-bit integer)"},
        {R"({"type":"body","reference_id":true,"user":{"user_id":"a"}})",
         R"("reference_id" is neither a string nor a 64-bit integer)"},
        {R"({"type":"body","reference_id":{},"user":{"user_id":"a","reference_id":"r"}})",
         R"("reference_id" is neither a string nor a 64-bit integer)"},
        // status
        {R"({"type":"auth","user":{"user_id":"a"}})", R"("status" of an "auth" is missing or not a string)"},
        {R"({"type":"auth","status":null,"user":{"user_id":"a"}})",
         R"("status" of an "auth" is missing or not a string)"},
        {R"({"type":"auth","status":" ","user":{"user_id":"a"}})",
         R"("status" of an "auth" is missing or not a string)"},
        {R"({"type":"auth","status":200,"user":{"user_id":"a"}})",
         R"("status" of an "auth" is missing or not a string)"},
        {R"({"type":"auth","status":"authenticated","user":{"user_id":"a"}})",
         R"("status" of an "auth" is neither "success" nor "error")"},
        {R"({"type":"auth","status":"SUCCESS","user":{"user_id":"a"}})",
         R"("status" of an "auth" is neither "success" nor "error")"},
        // user_reauth
        {R"({"type":"user_reauth"})", R"("new_user" is missing)"},
        {R"({"type":"user_reauth","new_user":null,"old_user":{"user_id":"a"}})", R"("new_user" is missing)"},
        {R"({"type":"user_reauth","user":{"user_id":"a"}})", R"("new_user" is missing)"},
        {R"({"type":"user_reauth","new_user":"b"})", R"("new_user" is not a JSON object)"},
        {R"({"type":"user_reauth","new_user":{}})", R"("new_user.user_id" is missing or empty)"},
        {R"({"type":"user_reauth","new_user":{"user_id":"b","provider":1}})", R"("new_user.provider" is not a string)"},
        {R"({"type":"user_reauth","new_user":{"user_id":"b"},"old_user":"a"})", R"("old_user" is not a JSON object)"},
        {R"({"type":"user_reauth","new_user":{"user_id":"b"},"old_user":[]})", R"("old_user" is not a JSON object)"},
        {R"({"type":"user_reauth","new_user":{"user_id":"b"},"old_user":{"user_id":1}})",
         R"("old_user.user_id" is not a string)"},
        {R"({"type":"user_reauth","new_user":{"user_id":"b"},"old_user":{"user_id":"a","reference_id":1e99}})",
         R"("old_user.reference_id" is neither a string nor a 64-bit integer)"},
        // provider_user_id
        {R"({"type":"athlete","user":{"user_id":"a"},"athlete":{"provider_user_id":true}})",
         R"("provider_user_id" is neither a string nor a 64-bit integer)"},
        {R"({"type":"athlete","user":{"user_id":"a"},"athlete":{"provider_user_id":1.5}})",
         R"("provider_user_id" is neither a string nor a 64-bit integer)"},
        {R"({"type":"athlete","user":{"user_id":"a"},"athlete":{"provider_user_id":18446744073709551616}})",
         R"("provider_user_id" is neither a string nor a 64-bit integer)"},
        {R"({"type":"athlete","user":{"user_id":"a"},"athlete":{"provider_user_id":{}}})",
         R"("provider_user_id" is neither a string nor a 64-bit integer)"},
        {R"({"type":"athlete","user":{"user_id":"a"},"data":[{"provider_user_id":[1]},{"provider_user_id":"x"}]})",
         R"("provider_user_id" is neither a string nor a 64-bit integer)"},
    };
    for (const auto& [payload, problem] : table) {
        const Event event = read(payload);
        EXPECT_EQ(event.problem, problem) << payload;
        EXPECT_EQ(event.kind, EventKind::nothing) << payload;
    }
}

TEST(EventReaderTest, EveryIdentityAndKnownPassingTypeNeedsAUser) {
    for (const char* type : {"auth",
                             "deauth",
                             "access_revoked",
                             "permission_change",
                             "connection_error",
                             "athlete",
                             "activity",
                             "body",
                             "daily",
                             "sleep",
                             "nutrition",
                             "menstruation",
                             "planned_workout",
                             "hormone",
                             "health_observation",
                             "google_no_datasource",
                             "large_request_processing",
                             "large_request_sending",
                             "processing",
                             "rate_limit_hit"})
        for (const json& user : {json(), json("a"), json::object(), json{{"user_id", ""}}})
            EXPECT_NE(read({{"type", type}, {"status", "success"}, {"user", user}}).problem, "") << type << user;
}

TEST(EventReaderTest, AnyOtherTypeNeedsNone) {
    for (const char* type : {"auth_cancelled", "s3_payload", "s3_upload", "healthcheck", "lab_report.completed",
                             "lab_report.failed", "AUTH", "Auth", "auth_success", "user_reauth2", "x"}) {
        const Event event = read({{"type", type}});
        EXPECT_EQ(event.problem, "") << type;
        EXPECT_EQ(event.kind, EventKind::nothing) << type;
        EXPECT_EQ(event.type, type);
        EXPECT_EQ(read({{"type", type}, {"user", {{"user_id", "a"}}}}).kind, EventKind::passing) << type;
    }
}

TEST(EventReaderTest, WhatAnEventWithoutUserHasIsNotJudged) {
    const Event event = read(R"({"type":"auth_cancelled","reference_id":5,"provider":7,"user":null})");
    EXPECT_EQ(event.problem, "");
    EXPECT_EQ(event.reference_id, "5");
    EXPECT_EQ(read(R"({"type":"auth_cancelled","reference_id":{}})").reference_id, std::nullopt);
    EXPECT_EQ(read(R"({"type":"auth_cancelled","reference_id":" r "})").reference_id, "r");
    EXPECT_EQ(read({{"type", "s3_payload"}, {"reference_id", std::string(513, 'r')}}).problem, "");
}

TEST(EventReaderTest, StatusDecidesWhatAnAuthIs) {
    const auto kind = [](const char* status) {
        return read(payload_with(R"({"type":"auth","status":VALUE,"user":{"user_id":"a"}})", status)).kind;
    };
    EXPECT_EQ(kind(R"("success")"), EventKind::auth_success);
    EXPECT_EQ(kind(R"(" success\n")"), EventKind::auth_success);
    EXPECT_EQ(kind(R"("error")"), EventKind::auth_failure);
    EXPECT_EQ(kind(R"(" error ")"), EventKind::auth_failure);
    EXPECT_EQ(kind(R"("warning")"), EventKind::nothing);
}

TEST(EventReaderTest, AnswersOfGetAthleteHaveNoType) {
    for (const char* type : {"null", R"("")", R"(" ")", R"("athlete")"}) {
        const Event event =
            read(payload_with(R"({"type":VALUE,"athlete":{"provider_user_id":"x"},"user":{"user_id":"a"}})", type));
        EXPECT_EQ(event.problem, "") << type;
        EXPECT_EQ(event.type, "athlete") << type;
        EXPECT_EQ(event.kind, EventKind::athlete) << type;
        EXPECT_EQ(event.provider_user_id, "x") << type;
    }
    EXPECT_EQ(read(R"({"athlete":[null,{"provider_user_id":"x"}],"user":{"user_id":"a"}})").provider_user_id, "x");
    EXPECT_NE(read(R"({"athlete":["x"],"user":{"user_id":"a"}})").problem, "");
    EXPECT_NE(read(R"({"data":{"provider_user_id":"x"},"user":{"user_id":"a"}})").problem, "");
}

TEST(EventReaderTest, IdsAreTrimmedAndEmptyOnesNull) {
    const Event event = read(R"({"type":"\t body \r\n","reference_id":" \u000b\f ","user":{
        "user_id":"\n a b\u000b","provider":" ","reference_id":"","scopes":" \t ","created_at":""}})");
    EXPECT_EQ(event.problem, "");
    EXPECT_EQ(event.type, "body");
    EXPECT_EQ(event.user->user_id, "a b");
    EXPECT_EQ(event.user->provider, std::nullopt);
    EXPECT_EQ(event.user->reference_id, std::nullopt);
    EXPECT_EQ(event.user->scopes, std::nullopt);
    EXPECT_EQ(event.user->created_at, std::nullopt);
    EXPECT_EQ(event.reference_id, std::nullopt);
}

TEST(EventReaderTest, OnlyAsciiWhiteSpaceIsTrimmed) {
    EXPECT_EQ(read({{"type", "body"}, {"user", {{"user_id", "\xc2\xa0 a\xe2\x80\x83 "}}}}).user->user_id,
              "\xc2\xa0 a\xe2\x80\x83");
    const std::string with_nul("a\0 b\0", 5);
    EXPECT_EQ(read({{"type", "body"}, {"user", {{"user_id", with_nul}}}}).user->user_id, with_nul);
}

TEST(EventReaderTest, OnlyTheProviderIsPutInUpperCase) {
    const Event event = read({{"type", "body"},
                              {"user",
                               {{"user_id", "aB\xc3\xa9"},
                                {"provider", " fitbit_\xc3\xa9z "},
                                {"reference_id", "rS"},
                                {"scopes", "Read,write"}}}});
    EXPECT_EQ(event.user->user_id, "aB\xc3\xa9");
    EXPECT_EQ(event.user->provider, "FITBIT_\xc3\xa9Z");
    EXPECT_EQ(event.user->reference_id, "rS");
    EXPECT_EQ(event.user->scopes, "Read,write");
}

TEST(EventReaderTest, IdsHaveUpTo512Bytes) {
    const std::string longest(512, 'x'), too_long(513, 'x');
    const auto problem = [](const json& payload) { return read(payload).problem; };
    for (const char* key : {"user_id", "provider", "reference_id"}) {
        json payload{{"type", "body"}, {"user", {{"user_id", "a"}}}};
        payload["user"][key] = " \t" + longest + "\n ";
        EXPECT_EQ(problem(payload), "") << key;
        payload["user"][key] = too_long;
        EXPECT_EQ(problem(payload), std::string("\"user.") + key + "\" is longer than 512 bytes");
    }
    EXPECT_EQ(problem({{"type", "body"}, {"reference_id", longest}, {"user", {{"user_id", "a"}}}}), "");
    EXPECT_EQ(problem({{"type", "body"}, {"reference_id", too_long}, {"user", {{"user_id", "a"}}}}),
              "\"reference_id\" is longer than 512 bytes");
    EXPECT_EQ(
        problem({{"type", "user_reauth"}, {"new_user", {{"user_id", "b"}}}, {"old_user", {{"user_id", too_long}}}}),
        "\"old_user.user_id\" is longer than 512 bytes");
    EXPECT_EQ(problem({{"type", longest}, {"user", {{"user_id", "a"}}}}), "");
    EXPECT_EQ(problem({{"type", too_long}, {"user", {{"user_id", "a"}}}}), "\"type\" is longer than 512 bytes");
    const auto account = [&](const std::string& id) {
        return problem({{"type", "athlete"}, {"user", {{"user_id", "a"}}}, {"athlete", {{"provider_user_id", id}}}});
    };
    EXPECT_EQ(account(longest), "");
    EXPECT_EQ(account(too_long), "\"provider_user_id\" is longer than 512 bytes");
    // 256 characters of two bytes each, and one more byte
    std::string two_bytes_each;
    for (int i = 0; i < 256; ++i)
        two_bytes_each += "\xc3\xa9";
    EXPECT_EQ(account(two_bytes_each), "");
    EXPECT_EQ(account(two_bytes_each + "x"), "\"provider_user_id\" is longer than 512 bytes");
}

TEST(EventReaderTest, ScopesMayBeOfAnyLength) {
    const std::string scopes(100'000, 's');
    EXPECT_EQ(read({{"type", "body"}, {"user", {{"user_id", "a"}, {"scopes", scopes}}}}).user->scopes, scopes);
}

TEST(EventReaderTest, ScopesAndCreatedAtOfAnotherTypeAreAbsent) {
    for (const char* odd : {"5", "1.5", "true", "[]", R"(["a"])", "{}", "null"}) {
        const Event event = read(payload_with(R"({"type":"body","user":{"user_id":"a","scopes":VALUE}})", odd));
        EXPECT_EQ(event.problem, "") << odd;
        EXPECT_EQ(event.user->scopes, std::nullopt) << odd;
        const Event other = read(payload_with(R"({"type":"body","user":{"user_id":"a","created_at":VALUE}})", odd));
        EXPECT_EQ(other.problem, "") << odd;
        EXPECT_EQ(other.user->created_at, std::nullopt) << odd;
    }
}

TEST(EventReaderTest, CreatedAtIsBelievedUntilADayAfterTheDelivery) {
    const auto created_at = [](const char* text) {
        return read({{"type", "body"}, {"user", {{"user_id", "a"}, {"created_at", text}}}}).user->created_at;
    };
    EXPECT_EQ(created_at("2026-01-01T00:00:00Z"), received_at);
    EXPECT_EQ(created_at("2026-01-02T00:00:00Z"), received_at + micros_per_day);
    EXPECT_EQ(created_at("2026-01-02T01:00:00+01:00"), received_at + micros_per_day);
    EXPECT_EQ(created_at("2026-01-02T00:00:00.000001Z"), std::nullopt);
    EXPECT_EQ(created_at("9999-12-31T23:59:59Z"), std::nullopt);
    EXPECT_EQ(created_at("yesterday"), std::nullopt);
}

TEST(EventReaderTest, TheReferenceAtTheTopServesWhereAUserHasNone) {
    EXPECT_EQ(read(R"({"type":"body","reference_id":"top","user":{"user_id":"a"}})").user->reference_id, "top");
    EXPECT_EQ(
        read(R"({"type":"body","reference_id":"top","user":{"user_id":"a","reference_id":" "}})").user->reference_id,
        "top");
    EXPECT_EQ(
        read(R"({"type":"body","reference_id":"top","user":{"user_id":"a","reference_id":"r"}})").user->reference_id,
        "r");
    const Event reauth = read(R"({"type":"user_reauth","reference_id":"top",
        "new_user":{"user_id":"b"},"old_user":{"user_id":"a","reference_id":"r"}})");
    EXPECT_EQ(reauth.user->reference_id, "top");
    EXPECT_EQ(reauth.old_user->reference_id, "r");
}

TEST(EventReaderTest, AReauthWithoutAnotherOldUserIsProofOfLifeOnly) {
    for (const char* old_user : {"null", "{}", R"({"user_id":null})", R"({"user_id":" "})", R"({"user_id":"b"})",
                                 R"({"user_id":" b "})", R"({"user_id":"","provider":5})"}) {
        const Event event =
            read(payload_with(R"({"type":"user_reauth","new_user":{"user_id":"b"},"old_user":VALUE})", old_user));
        EXPECT_EQ(event.problem, "") << old_user;
        EXPECT_EQ(event.kind, EventKind::user_reauth) << old_user;
        EXPECT_EQ(event.user->user_id, "b") << old_user;
        EXPECT_FALSE(event.old_user.has_value()) << old_user;
    }
}

TEST(EventReaderTest, AReauthDoesNotLookAtUser) {
    const Event event =
        read(R"({"type":"user_reauth","user":5,"new_user":{"user_id":"b"},"old_user":{"user_id":"B"}})");
    EXPECT_EQ(event.problem, "");
    EXPECT_EQ(event.old_user->user_id, "B");
}

TEST(EventReaderTest, AReferenceIdMayBeAnInteger) {
    EXPECT_EQ(read(R"({"type":"body","user":{"user_id":"a","reference_id":4711}})").user->reference_id, "4711");
    EXPECT_EQ(read(R"({"type":"body","reference_id":-1,"user":{"user_id":"a"}})").user->reference_id, "-1");
    EXPECT_EQ(read(R"({"type":"body","reference_id":18446744073709551615,"user":{"user_id":"a"}})").reference_id,
              "18446744073709551615");
    const Event event = read(R"({"type":"user_reauth","new_user":{"user_id":"b","reference_id":2},)"
                             R"("old_user":{"user_id":"a","reference_id":1}})");
    EXPECT_EQ(event.old_user->reference_id, "1");
    EXPECT_EQ(event.user->reference_id, "2");
}

struct Account {
    const char* rest; ///< the other members of an athlete event
    std::optional<std::string> account;
};

TEST(EventReaderTest, TheAccountIsTheFirstThatIsNotEmpty) {
    const Account table[] = {
        {R"("x":0)", std::nullopt},
        {R"("athlete":{"provider_user_id":" x "})", "x"},
        {R"("athlete":{"provider_user_id":"xY"})", "xY"},
        {R"("athlete":{"provider_user_id":0})", "0"},
        {R"("athlete":{"provider_user_id":-9223372036854775808})", "-9223372036854775808"},
        {R"("athlete":{"provider_user_id":9223372036854775807})", "9223372036854775807"},
        {R"("athlete":{"provider_user_id":18446744073709551615})", "18446744073709551615"},
        {R"("athlete":{"provider_user_id":null},"data":[{"provider_user_id":7}])", "7"},
        {R"("athlete":{"provider_user_id":""},"data":[{"provider_user_id":"y"}])", "y"},
        {R"("athlete":{"provider_user_id":"x"},"data":[{"provider_user_id":"y"}])", "x"},
        {R"("athlete":{"provider_user_id":"x"},"data":[{"provider_user_id":true}])", "x"},
        {R"("athlete":[{"provider_user_id":"x"}])", "x"},
        {R"("athlete":[7,{"provider_user_id":"x"},{"provider_user_id":"y"}])", "x"},
        {R"("athlete":[{},{"provider_user_id":"y"}])", std::nullopt},
        {R"("athlete":[{}],"data":{"provider_user_id":8})", "8"},
        {R"("athlete":{"provider_user_id":"x"},"data":{"provider_user_id":"y"})", "x"},
        {R"("athlete":"x","data":[null,5,"x",[],{},{"provider_user_id":" "},{"provider_user_id":"y"}])", "y"},
        {R"("data":[{"provider_user_id":"y"},{"provider_user_id":true}])", "y"},
        {R"("data":{"provider_user_id":"x"})", "x"},
        {R"("data":{"provider_user_id":" "})", std::nullopt},
        {R"("data":"x")", std::nullopt},
        {R"("data":[])", std::nullopt},
        {R"("provider_user_id":"x")", std::nullopt},
    };
    for (const auto& [rest, account] : table) {
        const Event event = read(json::parse(R"({"type":"athlete","user":{"user_id":"a"},)" + std::string(rest) + "}"));
        EXPECT_EQ(event.problem, "") << rest;
        EXPECT_EQ(event.provider_user_id, account) << rest;
    }
}

TEST(EventReaderTest, OnlyAthleteEventsNameAnAccount) {
    EXPECT_EQ(read(R"({"type":"body","user":{"user_id":"a"},"athlete":{"provider_user_id":"x"}})").provider_user_id,
              std::nullopt);
    EXPECT_EQ(read(R"({"type":"body","user":{"user_id":"a"},"athlete":{"provider_user_id":true}})").problem, "");
}

TEST(EventReaderTest, TheFirstProblemIsTold) {
    EXPECT_EQ(read(R"({"type":"auth","reference_id":true,"user":{"user_id":2}})").problem,
              R"("reference_id" is neither a string nor a 64-bit integer)");
    Headers headers;
    headers.problem = "the trace id is odd";
    EXPECT_EQ(read(json{{"type", 5}}, headers).problem, "the trace id is odd");
}

TEST(EventReaderTest, TheTimeIsTheOrderingTimestampElseTheTimeOfReceipt) {
    const json payload{{"type", "body"}, {"user", {{"user_id", "a"}}}};
    EXPECT_EQ(read(payload).time, received_at);
    EXPECT_EQ(read(payload).ordering, std::nullopt);
    Headers headers;
    headers.ordering = 5;
    EXPECT_EQ(read(payload, headers).time, 5);
    EXPECT_EQ(read(payload, headers).ordering, 5);
}

TEST(EventReaderTest, ACorrectionOfALaterVersionIsAProblem) {
    for (const char* const what : {"renamed", "same_person"}) {
        const json payload{{"type", "correction"}, {"user", {{"user_id", "a"}}}, {"correction", {{"what", what}}}};
        const Event event = read_entered(NlohmannView(payload), received_at);
        EXPECT_EQ(event.problem, "a correction that this version does not know");
        EXPECT_EQ(event.kind, EventKind::nothing);
    }
}

} // namespace
} // namespace terra_identity
