// The signature of a delivery: the header `t=<unix seconds>,v1=<hex>`, where v1 is the HMAC-SHA256 of t, a dot and the
// raw body under a signing secret. Without a secret, nobody can make a body pass the check.
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

/// The content of a signature header.
struct Signature {
    std::string timestamp;       ///< `t` as it was sent: the signed text begins with these characters
    Micros time = 0;             ///< `t` as a time
    std::vector<Digest> digests; ///< every `v1`, in order
};

/// Reads a signature header: elements `name=value` between commas, in any order, with or without spaces. There must be
/// one `t`, of digits, and at least one `v1` of 64 hex digits in either case. Other elements, `v0` among them, and a
/// `v1` that is no digest are ignored. Null if the header is malformed.
std::optional<Signature> parse_signature(std::string_view header);

/// Whether two digests are equal. The time that it takes does not depend on where they differ.
bool equal_in_constant_time(const Digest& a, const Digest& b);

/// The conditions under which a signature is accepted.
struct SignatureRules {
    std::vector<std::string> secrets; ///< the signature may be made with any of them
    std::optional<Micros> tolerance;  ///< how far `t` may be from `at`, either way; null: any distance
    Micros at = 0;
};

enum class Verdict { good, missing, malformed, untimely, wrong };

/// Why a delivery is refused, as a sentence without its full stop. Empty for a good signature.
std::string_view to_string(Verdict verdict);

/// Whether the distance between `time` and `rules.at` is at most the tolerance.
bool is_timely(Micros time, const SignatureRules& rules);

/// Checks the signatures of a body. The verdict is good if any of them is good, else that of the one that came closest.
/// @param hmac hmac(secret, prefix) is the HMAC-SHA256 of prefix and body
/// @param good_one if not null: receives the good signature
template <class Hmac>
Verdict verify_signatures(const std::vector<std::string>& headers, const SignatureRules& rules, const Hmac& hmac,
                          Signature* good_one = nullptr) {
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
            if (good_one != nullptr)
                *good_one = *signature;
            return Verdict::good;
        }
        verdict = Verdict::wrong;
    }
    return verdict;
}

} // namespace terra_identity
