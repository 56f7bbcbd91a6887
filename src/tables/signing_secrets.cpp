#include "tables/signing_secrets.h"

#include "pg/query.h"
#include "pg/relations.h"
#include "tables/ids.h"
#include "tables/locks.h"
#include "tables/rule_memory.h"
#include "tables/settings_row.h"
#include "tables/sqlstates.h"

namespace terra_identity::tables {

using namespace pg;

namespace {

/// The columns of `signing_secrets`, in their order in sql/install/08_ingest.sql, counted from 1.
enum SecretColumn : AttrNumber { secret_secret_id = 1, secret_dev_id, secret_secret, secret_valid_until };

/// The default of `signature_tolerance`.
constexpr Micros default_tolerance = micros_per_day;

struct Secret {
    std::string secret;
    std::optional<Micros> valid_until; ///< null: it does not expire
};

/// What is stored of an environment's policy, whatever the time is.
struct StoredPolicy {
    bool required = false;
    std::optional<Micros> tolerance = default_tolerance; ///< null: any
    std::vector<Secret> secrets;                         ///< the newest first; read if signatures are required
};

/// Reads the tolerance, and whether the environment's row requires signatures; null if there is no row.
std::optional<bool> read_environment(const std::string& dev_id, StoredPolicy& policy) {
    std::optional<bool> required;
    Table environments("environment_settings", AccessShareLock);
    const IndexScan by_key{.table = environments.relation(), .index = "environment_settings_pkey", .limit = 1};
    for (const HeapTuple row : by_key.fetch(IndexKeys().equals(dev_id))) {
        // Null if somebody dropped the column.
        const NullableValue asked = attribute(row, environments.relation(), environment_signature_required);
        required = asked.is_null || DatumGetBool(asked.value);
        const NullableValue tolerance = attribute(row, environments.relation(), environment_signature_tolerance);
        policy.tolerance = tolerance.is_null ? std::nullopt : std::optional(micros_of_interval(tolerance.value));
    }
    environments.close();
    return required;
}

/// Reads the secrets, the newest first.
std::vector<Secret> read_secrets(const std::string& dev_id) {
    std::vector<Secret> result;
    Table secrets("signing_secrets", AccessShareLock);
    const IndexScan by_key{.table = secrets.relation(), .index = "signing_secrets_pkey", .backward = true};
    for (const HeapTuple row : by_key.fetch(IndexKeys().equals(dev_id))) {
        const NullableValue valid_until = attribute(row, secrets.relation(), secret_valid_until);
        result.push_back(
            {.secret = string_of(attribute(row, secrets.relation(), secret_secret).value),
             .valid_until = valid_until.is_null ? std::nullopt : std::optional(nearest_micros_of(valid_until.value))});
    }
    secrets.close();
    return result;
}

/// Inserts an environment. If it exists, the trigger on the table makes it require signatures instead.
Query require_signatures =
    "INSERT INTO terra_identity.environment_settings (dev_id, signature_required) VALUES ($1, true)";

Query update_secret = R"(
    UPDATE terra_identity.signing_secrets s SET valid_until = $3 WHERE s.dev_id = $1 AND s.secret = $2
    RETURNING s.secret_id)";

Query insert_secret = R"(
    INSERT INTO terra_identity.signing_secrets (dev_id, secret, valid_until, secret_id)
    OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, $4))";

/// Whether the environment has ever stored a signed delivery.
bool has_signatures(const std::string& dev_id) {
    Table signatures("signatures", AccessShareLock);
    const IndexScan by_key{.table = signatures.relation(), .index = "signatures_pkey", .limit = 1};
    const bool found = !by_key.fetch(IndexKeys().equals(dev_id)).empty();
    signatures.close();
    return found;
}

StoredPolicy read_policy(const std::string& dev_id) {
    StoredPolicy policy;
    const std::optional<bool> required = read_environment(dev_id, policy);
    if (!required.value_or(true))
        return policy;
    policy.secrets = read_secrets(dev_id);
    // If the row is lost (deleted, or not restored), signatures are required if there are secrets or if a signed
    // delivery was ever stored: a lost row must not allow unsigned deliveries.
    policy.required = required.has_value() || !policy.secrets.empty() || has_signatures(dev_id);
    return policy;
}

/// The policies that this backend has read. A change of `environment_settings` or `signing_secrets` makes it forget
/// them.
constinit Remembered<StoredPolicy> remembered_policies;

/// Reads the policy, unless this backend remembers it.
StoredPolicy read_or_remembered_policy(const std::string& dev_id) {
    if (const StoredPolicy* const remembered = remembered_policies.find(dev_id))
        return *remembered;
    const RuleReading reading;
    StoredPolicy policy = read_policy(dev_id);
    remembered_policies.remember(reading, dev_id, policy);
    return policy;
}

/// The policy at a time: with the secrets that are valid then.
SigningPolicy at_time(const StoredPolicy& stored, Micros at) {
    SigningPolicy policy{.required = stored.required,
                         .rules = {.secrets = {}, .tolerance = stored.tolerance, .at = at}};
    for (const Secret& secret : stored.secrets)
        if (!secret.valid_until || *secret.valid_until > at)
            policy.rules.secrets.push_back(secret.secret);
    return policy;
}

} // namespace

SigningPolicy signing_policy(const std::string& dev_id, Micros at) {
    SigningPolicy policy = at_time(read_or_remembered_policy(dev_id), at);
    if (policy.required && policy.rules.secrets.empty())
        throw Error{no_signing_secret,
                    "environment \"" + dev_id + "\" requires signatures but has no valid signing secret",
                    "Nothing can be accepted. Secrets are not part of a dump, and end at their valid_until.",
                    "Call terra_identity.set_signing_secret()."};
    return policy;
}

SigningPolicy signing_policy_by_header(const std::string& dev_id, const std::string& default_dev_id, Micros at) {
    SigningPolicy policy = signing_policy(dev_id, at);
    if (policy.required || !read_or_remembered_policy(default_dev_id).required)
        return policy;
    // The environment itself requires no signatures, or does not exist. Without a valid secret no signature is good.
    StoredPolicy stored = read_policy(dev_id);
    stored.secrets = read_secrets(dev_id);
    stored.required = true;
    return at_time(stored, at);
}

std::int64_t set_signing_secret(const std::string& dev_id, Datum secret, const NullableValue& valid_until) {
    std::int64_t secret_id = 0;
    lock_settings(); // one session at a time, because the table has no unique key on the secret
    Table environments("environment_settings", RowExclusiveLock);
    const PartialSettings partial;
    as_owner(environments.owner(), [&] {
        require_signatures.run({text_parameter(dev_id)});
        const Query::Parameter end{TIMESTAMPTZOID, valid_until};
        const SPITupleTable* const updated = update_secret.run({text_parameter(dev_id), {TEXTOID, secret}, end});
        if (Query::rows() > 0) {
            secret_id = DatumGetInt64(column(updated, 0, 1).value);
            return;
        }
        secret_id = next_id(signing_secret_ids);
        insert_secret.run({text_parameter(dev_id), {TEXTOID, secret}, end, {INT8OID, Int64GetDatum(secret_id)}});
    });
    environments.close();
    return secret_id;
}

} // namespace terra_identity::tables
