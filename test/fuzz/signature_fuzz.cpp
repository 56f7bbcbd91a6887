// Reads any signature headers. The result equals that of a simpler reader, in whatever order the elements are and
// whatever is added to them. A delivery is good exactly if a header with a time within the tolerance has the digest of
// some secret.
//
// Input: headers, separated by NUL bytes.
#include "promise.h"

#include "core/headers.h"
#include "core/signature.h"

#include <algorithm>
#include <sstream>
#include <string_view>

namespace terra_identity::fuzz {
namespace {

using Values = std::vector<std::string>;

constexpr std::string_view white_space = " \t\n\r\v\f";
constexpr std::size_t most_bytes = 1024; // because many headers are read many times
constexpr Micros tolerance = 300 * micros_per_second;
const Values secrets{"old", "secret"};

/// Replaces the HMAC of a body: different if the secret or the prefix is.
Digest hash(std::string_view secret, std::string_view prefix) {
    Digest digest{};
    std::uint64_t state = 14'695'981'039'346'656'037U;
    for (const std::string_view text : {secret, std::string_view("."), prefix})
        for (const char c : text)
            state = (state ^ static_cast<unsigned char>(c)) * 1'099'511'628'211U;
    for (unsigned char& byte : digest) {
        state = state * 6'364'136'223'846'793'005U + 1'442'695'040'888'963'407U;
        byte = static_cast<unsigned char>(state >> 56);
    }
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

Values split(const std::string& text, char separator) {
    Values parts{""};
    for (const char c : text)
        if (c == separator)
            parts.emplace_back();
        else
            parts.back() += c;
    return parts;
}

std::string joined(const Values& parts, const std::string& separator) {
    std::string result;
    for (std::size_t i = 0; i < parts.size(); ++i)
        result += (i == 0 ? "" : separator) + parts[i];
    return result;
}

std::string trimmed(const std::string& text) {
    std::string result = text;
    result.erase(0, std::min(result.size(), result.find_first_not_of(white_space)));
    result.erase(result.find_last_not_of(white_space) + 1);
    return result;
}

// --- a second implementation that reads the header

struct Reading {
    std::string timestamp;
    Values digests; ///< in lower case
};

std::optional<Reading> read(const std::string& header) {
    Values timestamps;
    Reading reading;
    for (const std::string& element : split(header, ',')) {
        const std::size_t equals = element.find('=');
        if (equals == std::string::npos)
            continue;
        const std::string name = trimmed(element.substr(0, equals));
        std::string value = trimmed(element.substr(equals + 1));
        if (name == "t")
            timestamps.push_back(value);
        if (name != "v1" || value.size() != 64 ||
            value.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos)
            continue;
        for (char& c : value)
            c = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
        reading.digests.push_back(value);
    }
    if (timestamps.size() != 1 || reading.digests.empty())
        return std::nullopt;
    reading.timestamp = timestamps.front();
    if (reading.timestamp.empty() || reading.timestamp.find_first_not_of("0123456789") != std::string::npos)
        return std::nullopt;
    const std::size_t zeros = reading.timestamp.find_first_not_of('0');
    const std::string number = zeros == std::string::npos ? "0" : reading.timestamp.substr(zeros);
    if (number.size() > 13 || std::stoll(number) > INT64_MAX / micros_per_second)
        return std::nullopt;
    return reading;
}

void check(const std::optional<Signature>& signature, const std::optional<Reading>& reading) {
    promise(signature.has_value() == reading.has_value(), "a header is well-formed or not");
    if (!signature)
        return;
    promise(signature->timestamp == reading->timestamp, "t is as it was sent");
    promise(signature->time == std::stoll(signature->timestamp) * micros_per_second, "t is in seconds");
    Values digests;
    for (const Digest& digest : signature->digests)
        digests.push_back(hex(digest));
    promise(digests == reading->digests, "every v1 that is a digest is read, in order");
}

// --- the same header written differently

bool same(const std::optional<Signature>& a, const std::optional<Signature>& b) {
    return a.has_value() == b.has_value() &&
           (!a || (a->timestamp == b->timestamp && a->time == b->time && a->digests == b->digests));
}

void check_other_words(const std::optional<Signature>& signature, const std::string& header) {
    Values elements = split(header, ',');
    const std::string junk = ",,v0=" + hex(hash("old", "1.")) + ",v1,=,v1=x, T=1 ,v11=1, ,";
    promise(same(parse_signature(joined(elements, junk)), signature), "other elements count for nothing", header);
    promise(same(parse_signature("\t" + joined(elements, " \r\n,\f\v") + " "), signature),
            "white space counts for nothing", header);
    std::reverse(elements.begin(), elements.end());
    std::optional<Signature> reversed = parse_signature(joined(elements, ","));
    if (reversed)
        std::reverse(reversed->digests.begin(), reversed->digests.end());
    promise(same(reversed, signature), "elements come in any order", header);
    if (!signature)
        return;
    Values lower{"t=" + signature->timestamp}, upper = lower;
    for (const Digest& digest : signature->digests) {
        lower.push_back("v1=" + hex(digest));
        upper.push_back("v1=" + hex(digest, "0123456789ABCDEF"));
    }
    promise(same(parse_signature(joined(lower, ",")), signature), "what was read is read again", header);
    promise(same(parse_signature(joined(upper, ",")), signature), "hex digits in either case", header);
    promise(!parse_signature(joined(lower, ",") + ",t=" + signature->timestamp), "there is one t", header);
    promise(!parse_signature(lower.front()), "there is a v1", header);
}

// --- verdicts

Verdict verify(const Values& headers, const SignatureRules& rules) { return verify_signatures(headers, rules, hash); }

bool is_signed(const Reading& reading) {
    return std::any_of(secrets.begin(), secrets.end(), [&](const std::string& secret) {
        const std::string digest = hex(hash(secret, reading.timestamp + "."));
        return std::find(reading.digests.begin(), reading.digests.end(), digest) != reading.digests.end();
    });
}

Verdict expected_verdict(const Values& headers, const SignatureRules& rules) {
    Verdict verdict = Verdict::missing;
    for (const std::string& header : headers) {
        const std::optional<Reading> reading = read(header);
        Verdict of_this = Verdict::malformed;
        if (reading) {
            const Micros time = std::stoll(reading->timestamp) * micros_per_second;
            const bool timely =
                !rules.tolerance || (time >= rules.at - *rules.tolerance && time <= rules.at + *rules.tolerance);
            of_this = !timely ? Verdict::untimely : is_signed(*reading) ? Verdict::good : Verdict::wrong;
        }
        if (of_this == Verdict::good)
            return of_this;
        verdict = std::max(verdict, of_this); // declared in the order of how close they come to a good signature
    }
    return verdict;
}

void check_verdicts(const Values& headers, const Signature& one) {
    constexpr Micros latest = INT64_MAX - tolerance; // so that no sum here overflows
    for (const Micros distance : {Micros(0), -tolerance, -tolerance - 1, tolerance, tolerance + 1}) {
        const Micros at = std::min(one.time, latest - std::max(Micros(0), distance)) + distance;
        const SignatureRules rules{secrets, tolerance, at};
        promise(verify(headers, rules) == expected_verdict(headers, rules), "the verdict follows from the headers");
    }
    const SignatureRules ever{secrets, std::nullopt, 0};
    promise(verify(headers, ever) == expected_verdict(headers, ever), "without a tolerance any time is timely");
}

/// Signs the sender's timestamp with a secret, as the sender would, and without knowing it, as a forger would.
void check_forgeries(const Values& headers, const Signature& one) {
    const Digest digest = hash("secret", one.timestamp + ".");
    const std::string header = "t=" + one.timestamp + ",v1=" + hex(digest);
    SignatureRules rules{secrets, tolerance, one.time};
    Values more = headers;
    more.push_back(header);
    promise(verify(more, rules) == Verdict::good, "a good header is found behind others");
    for (const std::string& decorated : headers)
        if (const auto signature = parse_signature(decorated); signature && signature->timestamp == one.timestamp)
            promise(verify({decorated + ",v1=" + hex(digest)}, rules) == Verdict::good,
                    "a good v1 is found behind others");
    Digest other = digest;
    for (unsigned char& byte : other) {
        byte ^= 1;
        promise(!equal_in_constant_time(digest, other), "no bit may differ");
        byte ^= 1;
    }
    other[0] ^= 1;
    promise(verify({"t=" + one.timestamp + ",v1=" + hex(other)}, rules) == Verdict::wrong, "a forgery is wrong");
    promise(verify({"t=0" + one.timestamp + ",v1=" + hex(digest)}, rules) == Verdict::wrong,
            "t is signed as it is sent");
    rules.secrets = {"another"};
    promise(verify({header}, rules) == Verdict::wrong, "the secret counts");
    rules.secrets = {};
    promise(verify({header}, rules) == Verdict::wrong, "no secret, no signature");
    rules.secrets = secrets;
    rules.tolerance = -1;
    promise(verify({header}, rules) == Verdict::untimely, "nothing is timely within less than no time");
}

void check_headers(const Values& headers) {
    nlohmann::json sent = {
        {"X-Terra-Signature", headers.front()}, {"TERRA-signature", headers}, {"signature", headers.back()}};
    promise(read_signatures(NlohmannView(sent)) == Values{headers.front(), headers.front()},
            "one of each name is read");
}

void run(const std::string& input) {
    const Values headers = split(input, '\0');
    check_headers(headers);
    for (const std::string& header : headers) {
        const std::optional<Signature> signature = parse_signature(header);
        check(signature, read(header));
        check_other_words(signature, header);
        if (!signature)
            continue;
        for (const Digest& digest : signature->digests)
            promise(equal_in_constant_time(digest, signature->digests.front()) ==
                        (digest == signature->digests.front()),
                    "digests are equal or not");
        check_verdicts(headers, *signature);
        check_forgeries(headers, *signature);
    }
    const SignatureRules rules{secrets, tolerance, 0};
    promise(verify(headers, rules) == expected_verdict(headers, rules), "the verdict follows from the headers");
    promise(verify({}, rules) == Verdict::missing, "no header is none");
}

} // namespace
} // namespace terra_identity::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace terra_identity::fuzz;
    run({reinterpret_cast<const char*>(data), std::min(size, most_bytes)});
    return 0;
}
