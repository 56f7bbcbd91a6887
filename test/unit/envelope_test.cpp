// Tests of what an envelope keeps. That it is the same event is tested with every payload of event_reader_test.cpp,
// with all headers of headers_test.cpp, and here with Terra's own.
#include "core/envelope.h"

#include "core/event_reader.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace terra_identity {
namespace {

using nlohmann::json;

constexpr Micros received_at = 1'767'225'600 * micros_per_second; // 2026-01-01 00:00 UTC

json envelope(const json& payload) { return json::parse(envelope_of(NlohmannView(payload))); }
json envelope(const char* payload) { return envelope(json::parse(payload)); }

TEST(EnvelopeTest, OfTerrasEventsIsTheSameEvent) {
    int files = 0;
    for (const auto& file : std::filesystem::directory_iterator(TEST_DATA_DIR "/events")) {
        const json payload = json::parse(std::ifstream(file.path()));
        const json kept = envelope(payload);
        EXPECT_TRUE(read_event(NlohmannView(kept), {}, received_at) ==
                    read_event(NlohmannView(payload), {}, received_at))
            << file.path() << kept;
        EXPECT_EQ(envelope(kept), kept) << file.path();
        ++files;
    }
    EXPECT_GT(files, 30);
}

TEST(EnvelopeTest, DropsData) {
    EXPECT_EQ(envelope(R"({"type":"body","status":"success","version":"2","reference":"chunk",
                           "data":[{"metadata":{"start_time":"2026-01-01"},"provider_user_id":"x"}],
                           "user":{"user_id":"a","provider":"FITBIT","reference_id":"r","scopes":"s",
                                   "created_at":"2025-06-01T06:00:00Z","active":true,"last_webhook_update":null,
                                   "email":"e@example.com"},
                           "athlete":{"provider_user_id":"x"},"old_user":{"user_id":"b"}})"),
              json::parse(R"({"type":"body","user":{"user_id":"a","provider":"FITBIT","reference_id":"r","scopes":"s",
                                                    "created_at":"2025-06-01T06:00:00Z"}})"));
    EXPECT_EQ(envelope(R"({"type":"lab_report.completed","reference_id":"r","report":{"glucose":5}})"),
              json::parse(R"({"type":"lab_report.completed","reference_id":"r"})"));
}

TEST(EnvelopeTest, DropsNamesOfAthletes) {
    EXPECT_EQ(envelope(R"({"athlete":[7,{"first_name":"Mina","email":"e@example.com","provider_user_id":17},{}],
                           "user":{"user_id":"a"}})"),
              json::parse(R"({"athlete":{"provider_user_id":17},"user":{"user_id":"a"}})"));
    EXPECT_EQ(envelope(R"({"type":"athlete","user":{"user_id":"a"},
                           "data":["Mina",{"name":"Mina"},{},{"provider_user_id":"x","name":"Mina"},
                                   {"provider_user_id":"y"}]})"),
              json::parse(R"({"type":"athlete","user":{"user_id":"a"},"data":[{},{"provider_user_id":"x"}]})"));
    EXPECT_EQ(envelope(R"({"type":"athlete","user":{"user_id":"a"},"data":[{"name":"Mina"},"Mina"]})"),
              json::parse(R"({"type":"athlete","user":{"user_id":"a"}})"));
}

TEST(EnvelopeTest, OfWhatIsNoIdSaysOnlyThat) {
    EXPECT_EQ(envelope(R"({"type":"body","user":{"user_id":{"secret":1},"provider":["secret"],"reference_id":1.5,
                                                 "scopes":true,"created_at":17}})"),
              json::parse(R"({"type":"body","user":{"user_id":{},"provider":[],"reference_id":true,
                                                    "scopes":true}})"));
    EXPECT_EQ(envelope(R"({"type":"body","user":{"user_id":"a","scopes":7,"created_at":"secret"}})"),
              json::parse(R"({"type":"body","user":{"user_id":"a","scopes":7}})"));
    EXPECT_EQ(envelope(R"({"type":"body","user":"secret"})"), json::parse(R"({"type":"body","user":true})"));
    EXPECT_EQ(envelope(R"(["secret"])"), json());
    EXPECT_EQ(envelope(R"("secret")"), json());
}

TEST(EnvelopeTest, OfWhatIsTooLongSaysOnlyThat) {
    const std::string secret = std::string(500, 's') + std::string(20, ' ') + "ecret", dashes(513, '-');
    for (const char* name : {"user_id", "provider", "reference_id"}) {
        json payload{{"type", "body"}, {"user", {{"user_id", "a"}}}};
        payload["user"][name] = secret;
        EXPECT_EQ(envelope(payload)["user"][name], dashes) << name;
        EXPECT_EQ(read_event(NlohmannView(envelope(payload)), {}, received_at).problem,
                  read_event(NlohmannView(payload), {}, received_at).problem);
    }
    EXPECT_EQ(envelope(json{{"type", secret}, {"user", {{"user_id", "a"}}}})["type"], dashes);
    EXPECT_EQ(envelope(json{{"type", "body"}, {"reference_id", secret}, {"user", {{"user_id", "a"}}}})["reference_id"],
              dashes);
    // These may be long.
    EXPECT_EQ(envelope(json{{"type", "healthcheck"}, {"reference_id", secret}})["reference_id"], secret);
    EXPECT_EQ(envelope(json{{"type", "body"}, {"user", {{"user_id", "a"}, {"scopes", secret}}}})["user"]["scopes"],
              secret);
}

TEST(EnvelopeTest, KeepsEveryCharacterOfAnId) {
    const json payload{{"type", "body"}, {"user", {{"user_id", std::string("q\"\\\n\0\x1f\x7f\xc3\xa9/", 11)}}}};
    EXPECT_EQ(envelope(payload), payload);
}

TEST(EnvelopeTest, OfHeadersIsTheOrderingTimestamp) {
    const auto kept = [](const char* headers) {
        return envelope_of_headers(NlohmannView(json::parse(headers)), received_at);
    };
    EXPECT_EQ(kept(R"({"X-Terra-Ordering-Timestamp":[" 1767225598500"],"X-Terra-Trace-Id":"t","dev-id":"d",
                       "Authorization":"secret"})"),
              R"({"x-terra-ordering-timestamp":"1767225598500"})");
    EXPECT_EQ(kept(R"({"X-Terra-Trace-Id":"t","X-Terra-Ordering-Timestamp":"9767225598500"})"), std::nullopt);
    EXPECT_EQ(kept("null"), std::nullopt);
    const json problem{{"x-terra-trace-id", std::string(513, 't')}, {"Dev-Id", "d"}, {"cookie", "secret"}};
    EXPECT_EQ(json::parse(*envelope_of_headers(NlohmannView(problem), received_at)),
              (json{{"x-terra-trace-id", std::string(513, '-')}}));
}

} // namespace
} // namespace terra_identity
