#include "core/signature.h"

#include "core/hex.h"
#include "core/text.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>

namespace terra_identity {
namespace {

/// Reads Unix seconds: digits only, and not so many that microseconds would overflow.
std::optional<Micros> parse_seconds(std::string_view digits) {
    if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos)
        return std::nullopt;
    std::int64_t seconds = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
    if (error != std::errc() || seconds > std::numeric_limits<Micros>::max() / micros_per_second)
        return std::nullopt;
    return seconds * micros_per_second;
}

std::optional<Digest> parse_digest(std::string_view hex) {
    Digest digest{};
    if (hex.size() != 2 * digest.size())
        return std::nullopt;
    for (std::size_t i = 0; i < digest.size(); ++i) {
        const auto high = hex_value(hex[2 * i]);
        const auto low = hex_value(hex[2 * i + 1]);
        if (!high || !low)
            return std::nullopt;
        digest[i] = static_cast<unsigned char>(*high << 4 | *low);
    }
    return digest;
}

} // namespace

std::optional<Signature> parse_signature(std::string_view header) {
    Signature signature;
    std::size_t timestamps = 0;
    while (!header.empty()) {
        const std::string_view element = header.substr(0, header.find(','));
        header.remove_prefix(std::min(element.size() + 1, header.size()));
        const std::size_t equals = element.find('=');
        if (equals == std::string_view::npos)
            continue;
        const std::string_view name = trim(element.substr(0, equals));
        const std::string_view value = trim(element.substr(equals + 1));
        if (name == "t") {
            const std::optional<Micros> time = parse_seconds(value);
            if (!time)
                return std::nullopt;
            ++timestamps;
            signature.timestamp = value;
            signature.time = *time;
        } else if (name == "v1") {
            if (const std::optional<Digest> digest = parse_digest(value))
                signature.digests.push_back(*digest);
        }
    }
    return timestamps == 1 && !signature.digests.empty() ? std::optional(std::move(signature)) : std::nullopt;
}

bool equal_in_constant_time(const Digest& a, const Digest& b) {
    // Volatile, so that no compiler finds a way to stop early.
    volatile unsigned char difference = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        difference = static_cast<unsigned char>(difference | (a[i] ^ b[i]));
    return difference == 0;
}

std::string_view to_string(Verdict verdict) {
    switch (verdict) {
    case Verdict::good:
        return "";
    case Verdict::missing:
        return "the signature is missing";
    case Verdict::malformed:
        return "the signature is malformed";
    case Verdict::untimely:
        return "the signature's time is too far from now";
    case Verdict::wrong:
        return "the signature is wrong";
    }
    return ""; // never
}

bool is_timely(Micros time, const SignatureRules& rules) {
    if (!rules.tolerance)
        return true;
    // The distance of any two 64-bit times fits into an unsigned 64-bit number.
    const auto distance =
        static_cast<std::uint64_t>(std::max(time, rules.at)) - static_cast<std::uint64_t>(std::min(time, rules.at));
    return *rules.tolerance >= 0 && distance <= static_cast<std::uint64_t>(*rules.tolerance);
}

} // namespace terra_identity
