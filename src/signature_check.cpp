#include "signature_check.h"

#include "pg/datum.h"
#include "pg/function.h"
#include "pg/hmac.h"

namespace terra_identity {

using namespace pg;

Verdict check_signature(const std::vector<std::string>& headers, const SignatureRules& rules, std::string_view body,
                        SignedContent* signed_content) {
    const auto hmac = [body](std::string_view secret, std::string_view prefix) {
        return hmac_sha256(secret, prefix, body);
    };
    Signature good_one;
    const Verdict verdict = verify_signatures(headers, rules, hmac, &good_one);
    if (verdict == Verdict::good && signed_content != nullptr)
        *signed_content = tables::signed_content_of(good_one, body);
    return verdict;
}

/// verify_signature() of SQL. Returns false, not null, if an argument other than the tolerance is null: a caller's
/// condition must not become unknown. An empty secret also gives false, because everybody knows it.
PG_FUNCTION(terra_identity_verify_signature) {
    if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(4))
        return BoolGetDatum(false);
    const std::string secret = string_of(PG_GETARG_DATUM(2));
    if (secret.empty())
        return BoolGetDatum(false);
    SignatureRules rules{.secrets = {secret}, .tolerance = {}, .at = INT64_MAX};
    if (const Datum at = PG_GETARG_DATUM(4); DatumGetTimestampTz(at) <= INT64_MAX - postgres_epoch)
        rules.at = micros_of(at);
    if (!PG_ARGISNULL(3))
        rules.tolerance = micros_of_interval(PG_GETARG_DATUM(3));
    const Verdict verdict = check_signature({string_of(PG_GETARG_DATUM(1))}, rules, bytes_of(PG_GETARG_DATUM(0)));
    return BoolGetDatum(verdict == Verdict::good);
}

} // namespace terra_identity
