// set_signing_secret: stores a secret with which Terra signs deliveries.
#include "core/text.h"

#include "pg/function.h"
#include "tables/routes.h"
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

/// set_signing_secret() of SQL. Its messages never show the secret.
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
    return Int64GetDatum(set_signing_secret(dev_id_argument(argument(fcinfo, 2)), secret, argument(fcinfo, 1)));
}

} // namespace terra_identity
