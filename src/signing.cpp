// The secrets that Terra signs with, and the check of a signature.
#include "core/text.h"

#include "pg/function.h"
#include "tables/environment.h"
#include "tables/signing_secrets.h"

namespace terra_identity {
namespace {

using namespace pg;
using namespace tables;

constexpr std::size_t max_secret_bytes = 1024;

Datum required_argument(FunctionCallInfo fcinfo, int number, const char* name) {
    if (PG_ARGISNULL(number))
        throw Error{"22004", std::string(name) + " must not be null"};
    return PG_GETARG_DATUM(number);
}

} // namespace

/// Messages never show the secret.
PG_FUNCTION(terra_identity_set_signing_secret) {
    const Datum secret = required_argument(fcinfo, 0, "the signing secret");
    const std::string text = string_of(secret);
    if (text.empty() || text.size() > max_secret_bytes)
        throw Error{"22023", "invalid signing secret",
                    "A secret has 1 to " + std::to_string(max_secret_bytes) + " bytes.",
                    "Copy the signing secret from Terra's dashboard."};
    if (trim(text).size() != text.size())
        throw Error{"22023", "invalid signing secret", "It begins or ends with white space.",
                    "Copy the signing secret from Terra's dashboard without what surrounds it."};
    return Int64GetDatum(set_signing_secret(dev_id_or_setting(argument(fcinfo, 2)), secret, argument(fcinfo, 1)));
}

/// False for anything that is null: what asks whether it may go on must not be told "unknown". And for an empty secret,
/// which everybody knows.
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
    const Verdict verdict = verify_body({string_of(PG_GETARG_DATUM(1))}, rules, bytes_of(PG_GETARG_DATUM(0)));
    return BoolGetDatum(verdict == Verdict::good);
}

} // namespace terra_identity
