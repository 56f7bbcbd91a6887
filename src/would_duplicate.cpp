// would_duplicate: what would follow if an end user connected a provider account now.
#include "core/collisions.h"
#include "core/uuid.h"

#include <algorithm>
#include <string>
#include <vector>

#include "pg/datum.h"
#include "pg/function.h"
#include "pg/query.h"
#include "pg/result_rows.h"
#include "tables/connection_row.h"
#include "tables/empty_copy.h"

namespace terra_identity {
namespace {

using namespace pg;

Query select_policy = R"(
    SELECT e.account_policy, e.on_duplicate FROM terra_identity.environments e
    WHERE e.dev_id OPERATOR(pg_catalog.=) $1)";

Query select_provider = R"(
    SELECT p.sdk, p.account_ids FROM terra_identity.providers p WHERE p.provider OPERATOR(pg_catalog.=) $1)";

Query select_accepted = R"(
    SELECT FROM terra_identity.accepted_duplicates a
    WHERE a.dev_id OPERATOR(pg_catalog.=) $1 AND a.provider OPERATOR(pg_catalog.=) $2
      AND a.provider_user_id OPERATOR(pg_catalog.=) $3)";

Query select_of_account = R"(
    SELECT c.* FROM terra_identity.connections c
    WHERE c.dev_id OPERATOR(pg_catalog.=) $1 AND c.provider OPERATOR(pg_catalog.=) $2
      AND c.provider_user_id OPERATOR(pg_catalog.=) $3 AND c.status OPERATOR(pg_catalog.=) 'active')";

Query select_of_end_user = R"(
    SELECT c.* FROM terra_identity.connections c
    WHERE c.dev_id OPERATOR(pg_catalog.=) $1 AND c.provider OPERATOR(pg_catalog.=) $2
      AND c.reference_id OPERATOR(pg_catalog.=) $3 AND c.status OPERATOR(pg_catalog.=) 'active')";

/// Reads with the privileges and the row security of the caller: within `as_caller`.
class Asked {
public:
    explicit Asked(const std::string& dev_id) : dev_id_(dev_id) {}

    Rules rules(const std::string& provider) const {
        Rules rules;
        const SPITupleTable* const policy = select_policy.run({text_parameter(dev_id_)}, Reads::statement);
        if (Query::rows() > 0) {
            const auto word = [policy](int number) { return string_of(pg::column(policy, 0, number).value); };
            rules.account_policy = account_policy_of(word(1)).value_or(rules.account_policy);
            rules.on_duplicate = on_duplicate_of(word(2)).value_or(rules.on_duplicate);
        }
        const SPITupleTable* const settings = select_provider.run({text_parameter(provider)}, Reads::statement);
        if (Query::rows() > 0) {
            if (DatumGetBool(pg::column(settings, 0, 1).value))
                rules.sdk_providers.insert(provider);
            if (string_of(pg::column(settings, 0, 2).value) == "unusable")
                rules.unusable_providers.insert(provider);
        }
        return rules;
    }

    bool is_accepted(const Connection& newcomer) const {
        if (!newcomer.has_account())
            return false;
        select_accepted.run(
            {text_parameter(dev_id_), text_parameter(*newcomer.provider()), text_parameter(*newcomer.provider_user_id)},
            Reads::statement);
        return Query::rows() > 0;
    }

    /// The active connections of the newcomer's account, and of its end user at its provider, the newest first.
    std::vector<Connection> present(const Connection& newcomer) const {
        std::vector<Connection> result;
        if (!newcomer.facts.provider)
            return result;
        if (newcomer.has_account())
            add(result, select_of_account, newcomer, *newcomer.provider_user_id);
        if (const auto reference_id = newcomer.reference_id())
            add(result, select_of_end_user, newcomer, *reference_id);
        std::sort(result.begin(), result.end(),
                  [](const Connection& a, const Connection& b) { return is_older(b, a); });
        result.erase(std::unique(result.begin(), result.end(),
                                 [](const Connection& a, const Connection& b) { return a.user_id == b.user_id; }),
                     result.end());
        return result;
    }

private:
    void add(std::vector<Connection>& result, Query& query, const Connection& newcomer, const std::string& id) const {
        const SPITupleTable* const found = query.run(
            {text_parameter(dev_id_), text_parameter(*newcomer.provider()), text_parameter(id)}, Reads::statement);
        for (std::uint64_t i = 0, count = Query::rows(); i < count; ++i)
            result.push_back(tables::connection_of(found->vals[i], found->tupdesc));
    }

    const std::string& dev_id_;
};

std::optional<std::string> text_argument(FunctionCallInfo fcinfo, int number) {
    const NullableValue given = argument(fcinfo, number);
    return given.is_null ? std::nullopt : std::optional(string_of(given.value));
}

NullableValue uuid_or_null(const std::string& user_id) {
    const auto uuid = parse_uuid(user_id);
    return uuid ? NullableValue(uuid_of(*uuid)) : NullableValue();
}

} // namespace

PG_FUNCTION(terra_identity_would_duplicate) {
    tables::refuse_on_empty_copy();
    ResultRows rows(fcinfo);
    const auto provider = text_argument(fcinfo, 0), provider_user_id = text_argument(fcinfo, 1),
               reference_id = text_argument(fcinfo, 2), dev_id = text_argument(fcinfo, 3);
    Connection asked = newcomer({}, provider, provider_user_id, reference_id);
    std::vector<Connection> present;
    bool is_accepted = false;
    Disconnects disconnects;
    if (dev_id && asked.facts.provider)
        as_caller([&] {
            const Asked environment(*dev_id);
            const Rules rules = environment.rules(*asked.provider());
            asked = newcomer(rules, provider, provider_user_id, reference_id);
            present = environment.present(asked);
            is_accepted = environment.is_accepted(asked);
            disconnects = disconnects_after(rules.on_duplicate, is_accepted, asked, present);
        });
    for (const Connection& connection : present) {
        const Collision found = collision(asked, connection, is_accepted, disconnects);
        rows.add({text_of(found.outcome), text_of(connection.user_id), uuid_or_null(connection.user_id),
                  connection.reference_id(), Int64GetDatum(connection.lineage_id),
                  timestamptz_of(connection.connected_at), text_of(found.sentence)});
    }
    if (present.empty()) {
        const Collision none = no_collision(asked);
        rows.add({text_of(none.outcome), {}, {}, {}, {}, {}, text_of(none.sentence)});
    }
    return Datum{0};
}

} // namespace terra_identity
