// The signature of a delivery: the header `t=<unix seconds>,v1=<hex>`, where v1 is the HMAC-SHA256 of t, a dot and the
// raw body under a signing secret. Whoever knows no secret can have no body accepted.
#pragma once

#include "core/time.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace terra_identity {

using Digest = std::array<unsigned char, 32>;

/// What a signature header says.
struct Signature {
    std::string timestamp;       ///< `t` as it was sent: what is signed begins with these characters
    Micros time = 0;             ///< the same as a time
    std::vector<Digest> digests; ///< every `v1`, in order
};

/// Reads a signature header: elements `name=value` between commas, in any order, with or without spaces. There must be
/// one `t`, of digits, and at least one `v1` of 64 hex digits in either case; other elements, `v0` among them, and a
/// `v1` that is no digest count for nothing. Null if it is not like that.
std::optional<Signature> parse_signature(std::string_view header);

/// Whether two digests are equal, in a time that does not tell where they differ.
bool equal_in_constant_time(const Digest& a, const Digest& b);

/// When a signature is accepted.
struct SignatureRules {
    std::vector<std::string> secrets; ///< any of them may have signed
    std::optional<Micros> tolerance;  ///< how far `t` may be from `at`, either way; null: any distance
    Micros at = 0;
};

enum class Verdict { good, missing, malformed, untimely, wrong };

/// Why a delivery is refused, as a sentence without its full stop. Empty if it is good.
std::string_view to_string(Verdict verdict);

/// Whether the distance of two times is at most the tolerance.
bool is_timely(Micros time, const SignatureRules& rules);

/// Whether any of the signatures stands for the body: the best that is to be said of them.
/// @param hmac hmac(secret, prefix) is the HMAC-SHA256 of prefix and body
/// @param good_prefix if not null: the prefix of the signature that is good
template <class Hmac>
Verdict verify_signatures(const std::vector<std::string>& headers, const SignatureRules& rules, const Hmac& hmac,
                          std::string* good_prefix = nullptr) {
    Verdict verdict = Verdict::missing;
    for (const std::string& header : headers) {
        const std::optional<Signature> signature = parse_signature(header);
        if (!signature || !is_timely(signature->time, rules)) {
            verdict = std::max(verdict, signature ? Verdict::untimely : Verdict::malformed);
            continue;
        }
        const std::string prefix = signature->timestamp + ".";
        for (const std::string& secret : rules.secrets) {
            const Digest expected = hmac(std::string_view(secret), std::string_view(prefix));
            bool good = false;
            for (const Digest& digest : signature->digests)
                good |= equal_in_constant_time(digest, expected);
            if (!good)
                continue;
            if (good_prefix != nullptr)
                *good_prefix = prefix;
            return Verdict::good;
        }
        verdict = Verdict::wrong;
    }
    return verdict;
}

} // namespace terra_identity
