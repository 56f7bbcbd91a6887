// Tests of the signature of a delivery. The hash function is the server's; here a simpler one replaces it. Terra's test
// vector is in sql/signatures.sql.
#include "core/headers.h"
#include "core/signature.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace terra_identity {
namespace {

using nlohmann::json;
using Values = std::vector<std::string>;

constexpr Micros at = 1'767'225'600 * micros_per_second;
const std::string now = "1767225600";
const std::string body = R"({"type":"auth"})";

/// A hash that is different if the secret, the prefix or the body is.
Digest hash(std::string_view secret, std::string_view prefix, std::string_view of_body = body) {
    const std::string text = std::string(secret) + '\0' + std::string(prefix) + std::string(of_body);
    Digest digest{};
    for (std::size_t i = 0; i < digest.size(); ++i)
        for (const char c : text)
            digest[i] = static_cast<unsigned char>(digest[i] * 31 + static_cast<unsigned char>(c) + i);
    return digest;
}

std::string hex(const Digest& digest, const char* digits = "0123456789abcdef") {
    std::string result;
    for (const unsigned char byte : digest) {
        result += digits[byte >> 4];
        result += digits[byte & 15];
    }
    return result;
}

std::string v1(const std::string& t, const std::string& secret = "secret") { return hex(hash(secret, t + ".")); }
std::string signed_at(const std::string& t, const std::string& secret = "secret") {
    return "t=" + t + ",v1=" + v1(t, secret);
}

SignatureRules rules() { return {.secrets = {"secret"}, .tolerance = micros_per_day, .at = at}; }

Verdict verify(const Values& headers, const SignatureRules& with = rules()) {
    return verify_signatures(headers, with,
                             [](std::string_view secret, std::string_view prefix) { return hash(secret, prefix); });
}
Verdict verify(const std::string& header) { return verify(Values{header}); }

TEST(SignatureTest, StandsForTheTimeAndTheBody) {
    EXPECT_EQ(verify(signed_at(now)), Verdict::good);
    EXPECT_EQ(verify("t=" + now + ",v1=" + hex(hash("secret", now + ".", body + " "))), Verdict::wrong);
    EXPECT_EQ(verify("t=1767225601,v1=" + v1(now)), Verdict::wrong);
    EXPECT_EQ(verify(signed_at(now, "another")), Verdict::wrong);
}

TEST(SignatureTest, ElementsComeInAnyOrderWithSpacesAndInEitherCase) {
    const std::string upper = hex(hash("secret", now + "."), "0123456789ABCDEF");
    for (const std::string& header :
         {"v1=" + v1(now) + ",t=" + now, " t = " + now + " ,\tv1 = " + v1(now) + " ", "t=" + now + ",v1=" + upper,
          ",,t=" + now + ",,v1=" + v1(now) + ",", "t=" + now + ",v1=" + v1(now) + ",expires,v2=x,=,v1"})
        EXPECT_EQ(verify(header), Verdict::good) << header;
}

TEST(SignatureTest, AnyOfSeveralV1Counts) {
    const std::string other = v1(now, "another");
    EXPECT_EQ(verify("t=" + now + ",v1=" + other + ",v1=" + v1(now)), Verdict::good);
    EXPECT_EQ(verify("t=" + now + ",v1=" + v1(now) + ",v1=" + other), Verdict::good);
    EXPECT_EQ(verify("t=" + now + ",v1=no digest,v1=" + v1(now)), Verdict::good);
    EXPECT_EQ(verify("t=" + now + ",v1=" + other + ",v1=" + other), Verdict::wrong);
}

TEST(SignatureTest, V0CountsForNothing) {
    EXPECT_EQ(verify("t=" + now + ",v0=" + v1(now)), Verdict::malformed);
    EXPECT_EQ(verify("t=" + now + ",v0=" + v1(now) + ",v1=" + v1(now, "another")), Verdict::wrong);
    EXPECT_EQ(verify("t=" + now + ",v0=x,v1=" + v1(now)), Verdict::good);
}

TEST(SignatureTest, ADigestIsWhole) {
    const std::string digest = v1(now);
    for (const std::string& value :
         {std::string(), digest.substr(1), digest + "0", digest.substr(0, 63) + "g", digest.substr(0, 63) + '\0',
          "0x" + digest, digest.substr(0, 32) + " " + digest.substr(32)})
        EXPECT_EQ(verify("t=" + now + ",v1=" + value), Verdict::malformed) << value;
}

TEST(SignatureTest, ATimeIsDigitsOnce) {
    for (const char* time :
         {"", "t=,", "t= ,", "t=-1767225600,", "t=+1767225600,", "t=1767225600.0,", "t=1767225600s,", "t=0x6955b900,",
          "t=17672 25600,", "t=9223372036855,", "t=9223372036854775808,", "t=99999999999999999999999999999999,",
          "T=1767225600,", "t=1767225600,t=1767225600,", "t=1767225600,t=x,", "t=1767225600,t,t=1,"})
        EXPECT_EQ(verify(std::string(time) + "v1=" + v1(now)), Verdict::malformed) << time;
}

TEST(SignatureTest, WhatIsSignedIsTheTimeAsItWasSent) {
    EXPECT_EQ(verify(signed_at("0001767225600")), Verdict::good);
    EXPECT_EQ(verify("t=0001767225600,v1=" + v1(now)), Verdict::wrong);
}

TEST(SignatureTest, TheTimeIsNearNow) {
    EXPECT_EQ(verify(signed_at("1767139200")), Verdict::good); // a day before now
    EXPECT_EQ(verify(signed_at("1767139199")), Verdict::untimely);
    EXPECT_EQ(verify(signed_at("1767312000")), Verdict::good); // a day after now
    EXPECT_EQ(verify(signed_at("1767312001")), Verdict::untimely);
    EXPECT_EQ(verify(signed_at("1767225600000")), Verdict::untimely); // milliseconds instead of seconds
    EXPECT_EQ(verify(signed_at("0")), Verdict::untimely);
    EXPECT_EQ(verify(signed_at("9223372036854")), Verdict::untimely);
}

TEST(SignatureTest, TheToleranceIsOfTheRules) {
    SignatureRules with = rules();
    with.tolerance = 0;
    EXPECT_EQ(verify({signed_at(now)}, with), Verdict::good);
    EXPECT_EQ(verify({signed_at("1767225601")}, with), Verdict::untimely);
    with.tolerance = -1;
    EXPECT_EQ(verify({signed_at(now)}, with), Verdict::untimely);
    with.tolerance = std::nullopt;
    for (const char* time : {"0", "1767225600000", "9223372036854"})
        EXPECT_EQ(verify({signed_at(time)}, with), Verdict::good) << time;
    EXPECT_EQ(verify({"t=0,v1=" + v1(now)}, with), Verdict::wrong);
    // The greatest possible distances.
    with.tolerance = std::numeric_limits<Micros>::max();
    with.at = std::numeric_limits<Micros>::min();
    EXPECT_EQ(verify({signed_at("9223372036854")}, with), Verdict::untimely);
    with.at = -1;
    EXPECT_EQ(verify({signed_at("9223372036854")}, with), Verdict::good);
}

TEST(SignatureTest, AnySecretMayHaveSigned) {
    SignatureRules with = rules();
    with.secrets = {"new", "secret", "old"};
    for (const char* secret : {"new", "secret", "old"})
        EXPECT_EQ(verify({signed_at(now, secret)}, with), Verdict::good) << secret;
    EXPECT_EQ(verify({signed_at(now, "older")}, with), Verdict::wrong);
    EXPECT_EQ(verify({signed_at(now, "")}, with), Verdict::wrong);
    with.secrets = {};
    EXPECT_EQ(verify({signed_at(now)}, with), Verdict::wrong);
}

TEST(SignatureTest, TheBestOfSeveralHeadersCounts) {
    const std::string wrong = signed_at(now, "another");
    EXPECT_EQ(verify(Values{}), Verdict::missing);
    EXPECT_EQ(verify(""), Verdict::malformed);
    EXPECT_EQ(verify({wrong, signed_at(now)}), Verdict::good);
    EXPECT_EQ(verify({signed_at(now), wrong}), Verdict::good);
    EXPECT_EQ(verify({"x", signed_at("0")}), Verdict::untimely);
    EXPECT_EQ(verify({wrong, "x"}), Verdict::wrong);
}

TEST(SignatureTest, DigestsAreComparedWhole) {
    const Digest digest = hash("secret", "1.");
    EXPECT_TRUE(equal_in_constant_time(digest, digest));
    for (std::size_t i = 0; i < digest.size(); ++i)
        for (int bit = 0; bit < 8; ++bit) {
            Digest other = digest;
            other[i] = static_cast<unsigned char>(other[i] ^ (1 << bit));
            EXPECT_FALSE(equal_in_constant_time(digest, other)) << i << ' ' << bit;
        }
}

TEST(SignatureTest, RefusalsSayWhy) {
    EXPECT_EQ(to_string(Verdict::good), "");
    for (const Verdict verdict : {Verdict::missing, Verdict::malformed, Verdict::untimely, Verdict::wrong})
        EXPECT_NE(to_string(verdict), "");
}

Values read(const char* headers) {
    const json parsed = json::parse(headers);
    return read_signatures(NlohmannView(parsed));
}

TEST(SignatureHeadersTest, BothNamesInAnyCaseOneOfEach) {
    EXPECT_EQ(read(R"({"X-Terra-Signature":"a"})"), Values{"a"});
    EXPECT_EQ(read(R"({"terra-signature":"a"})"), Values{"a"});
    EXPECT_EQ(read(R"({"x-TERRA-signature":["a","b"],"host":"h"})"), Values{"a"});
    EXPECT_EQ(read(R"({"Terra-Signature":"b","x-terra-signature":"a"})"), (Values{"a", "b"}));
    EXPECT_EQ(read(R"({"X-TERRA-SIGNATURE":"a","x-terra-signature":"b"})"), Values{"a"});
}

TEST(SignatureHeadersTest, AnythingElseIsNone) {
    for (const char* headers : {"null", "[]", "{}", R"("t=1")", R"({"signature":"a"})", R"({"x-terra-signature":null})",
                                R"({"x-terra-signature":7})", R"({"x-terra-signature":[]})",
                                R"({"x-terra-signature":[["a"]]})", R"({"x-terra-signature":{"t":"1"}})"})
        EXPECT_EQ(read(headers), Values{}) << headers;
    EXPECT_EQ(read_signatures(NlohmannView()), Values{});
}

} // namespace
} // namespace terra_identity
