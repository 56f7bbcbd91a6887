#include "pg/signing_secrets.h"

#include "pg/hmac.h"
#include "pg/query.h"
#include "pg/relations.h"

namespace terra_identity::pg {
namespace {

/// An environment without a row requires signatures if it has secrets: a row that went must not open the door.
Query select_policy = R"(
    SELECT coalesce(e.signature_required,
                    EXISTS (SELECT FROM terra_identity.signing_secrets s WHERE s.dev_id = $1)),
           CASE WHEN e.dev_id IS NULL THEN interval '24 hours' ELSE e.signature_tolerance END
    FROM (SELECT) one LEFT JOIN terra_identity.environments e ON e.dev_id = $1)";

Query select_secrets = R"(
    SELECT s.secret FROM terra_identity.signing_secrets s
    WHERE s.dev_id = $1 AND (s.valid_until IS NULL OR s.valid_until > $2)
    ORDER BY s.secret_id DESC)";

Query require_signatures = "UPDATE terra_identity.environments e SET signature_required = true WHERE e.dev_id = $1";

Query insert_environment = "INSERT INTO terra_identity.environments (dev_id, signature_required) VALUES ($1, true)";

Query update_secret = R"(
    UPDATE terra_identity.signing_secrets s SET valid_until = $3 WHERE s.dev_id = $1 AND s.secret = $2
    RETURNING s.secret_id)";

Query insert_secret = R"(
    INSERT INTO terra_identity.signing_secrets AS s (dev_id, secret, valid_until) VALUES ($1, $2, $3)
    RETURNING s.secret_id)";

} // namespace

SigningPolicy signing_policy(const std::string& dev_id, Micros at) {
    SigningPolicy policy;
    policy.rules.at = at;
    as_owner(owner_of_tables(), [&] {
        const SPITupleTable* const environment = select_policy.run({text_parameter(dev_id)});
        policy.required = DatumGetBool(column(environment, 0, 1).value);
        if (const NullableValue tolerance = column(environment, 0, 2); !tolerance.is_null)
            policy.rules.tolerance = micros_of_interval(tolerance.value);
        if (!policy.required)
            return;
        const SPITupleTable* const secrets =
            select_secrets.run({text_parameter(dev_id), {TIMESTAMPTZOID, timestamptz_of(at)}});
        for (std::uint64_t i = 0; i < Query::rows(); ++i)
            policy.rules.secrets.push_back(string_of(column(secrets, i, 1).value));
    });
    if (policy.required && policy.rules.secrets.empty())
        throw Error{invalid_setting,
                    "environment \"" + dev_id + "\" requires signatures but has no valid signing secret",
                    "Nothing can be accepted. Secrets are not part of a dump, and end at their valid_until.",
                    "Call terra_identity.set_signing_secret()."};
    return policy;
}

Verdict verify_body(const std::vector<std::string>& headers, const SignatureRules& rules, std::string_view body,
                    Digest* signed_content) {
    const auto hmac = [body](std::string_view secret, std::string_view prefix) {
        return hmac_sha256(secret, prefix, body);
    };
    std::string prefix;
    const Verdict verdict = verify_signatures(headers, rules, hmac, &prefix);
    if (verdict == Verdict::good && signed_content != nullptr)
        *signed_content = hmac("", prefix);
    return verdict;
}

std::int64_t set_signing_secret(const std::string& dev_id, Datum secret, const NullableValue& valid_until) {
    std::int64_t secret_id = 0;
    Table environments("environments", ShareRowExclusiveLock); // one at a time, for there is no key but the secret
    as_owner(environments.owner(), [&] {
        require_signatures.run({text_parameter(dev_id)});
        if (Query::rows() == 0)
            insert_environment.run({text_parameter(dev_id)});
        for (Query* const query : {&update_secret, &insert_secret}) {
            const SPITupleTable* const written =
                query->run({text_parameter(dev_id), {TEXTOID, secret}, {TIMESTAMPTZOID, valid_until}});
            if (Query::rows() > 0) {
                secret_id = DatumGetInt64(column(written, 0, 1).value);
                break;
            }
        }
    });
    environments.close();
    return secret_id;
}

} // namespace terra_identity::pg
