#include "pg/environment.h"

#include "core/text.h"

#include "pg/query.h"
#include "pg/relations.h"
#include "pg/settings.h"

#include <cstdint>
#include <map>
#include <utility>

extern "C" {
#include "utils/inval.h"
}

namespace terra_identity::pg {
namespace {

/// The rules that this backend has read, until somebody commits others or takes them back.
struct RememberedRules {
    Oid environments = InvalidOid;
    Oid providers = InvalidOid;
    std::uint64_t changes = 0;
    std::map<std::string, Rules> of_environment;
    std::map<std::string, std::string> routes; ///< the dev_id by the default one, a zero byte, and the header
};

RememberedRules* remembered = nullptr;

constexpr std::size_t max_remembered = 100;

RememberedRules& memory() {
    if (remembered == nullptr)
        remembered = new RememberedRules;
    remembered->environments = relation_named("environments");
    remembered->providers = relation_named("providers");
    return *remembered;
}

/// What `environments` says of a route.
class Environments {
public:
    Environments() : table_("environments", AccessShareLock) {}

    bool has(const std::string& dev_id) const { return !rows("environments_pkey", dev_id).empty(); }

    std::optional<std::string> terra_dev_id_of(const std::string& dev_id) const {
        for (const HeapTuple row : rows("environments_pkey", dev_id))
            if (const NullableValue found = attribute(row, table_.columns(), environment_terra_dev_id); !found.is_null)
                return string_of(found.value);
        return std::nullopt;
    }

    std::optional<std::string> with_terra_dev_id(const std::string& terra_dev_id) const {
        for (const HeapTuple row : rows("environments_terra_dev_id_key", terra_dev_id))
            return string_of(attribute(row, table_.columns(), environment_dev_id).value);
        return std::nullopt;
    }

    void close() { table_.close(); }

private:
    std::vector<HeapTuple> rows(const char* index, const std::string& key) const {
        const IndexScan scan{.table = table_.relation(), .index = relation_named(index), .limit = 1};
        return scan.fetch(IndexKeys().equals(key));
    }

    Table table_;
};

Query update_terra_dev_id = "UPDATE terra_identity.environments e SET terra_dev_id = $2 WHERE e.dev_id = $1";

/// A row that went must not open the door when it comes back: where there are secrets, signatures are required.
Query insert_environment = R"(
    INSERT INTO terra_identity.environments (dev_id, terra_dev_id, signature_required)
    SELECT $1, $2, EXISTS (SELECT FROM terra_identity.signing_secrets s WHERE s.dev_id = $1))";

} // namespace

std::string dev_id_or_setting(const NullableValue& given) {
    std::string dev_id = given.is_null ? std::string(setting_dev_id()) : string_of(given.value);
    if (dev_id.empty() || dev_id.size() > max_id_bytes)
        throw Error{"22023", "invalid dev_id", "A dev_id has 1 to " + std::to_string(max_id_bytes) + " bytes."};
    return dev_id;
}

Route look_up_route(const std::string& default_dev_id, const std::string& header) {
    Environments environments;
    const std::optional<std::string> expected = environments.terra_dev_id_of(default_dev_id);
    Route route{.dev_id = default_dev_id, .default_dev_id = default_dev_id};
    if (expected != header && !(expected && header == default_dev_id)) {
        if (auto other = environments.with_terra_dev_id(header))
            route.dev_id = std::move(*other);
        else if (header != default_dev_id && environments.has(header))
            route.dev_id = header;
        else if (!expected)
            route.kind = Route::learning;
        else
            route = {.dev_id = header, .default_dev_id = default_dev_id, .kind = Route::making};
    }
    environments.close();
    route.by_header = route.dev_id != default_dev_id;
    return route;
}

Route route_of(const NullableValue& given, const std::optional<std::string>& header) {
    const std::string dev_id = dev_id_or_setting(given);
    Route route{.dev_id = dev_id, .default_dev_id = dev_id};
    if (!given.is_null || !header)
        return route;
    const std::string key = dev_id + '\0' + *header;
    if (remembered != nullptr)
        if (const auto found = remembered->routes.find(key); found != remembered->routes.end())
            return {.dev_id = found->second, .default_dev_id = dev_id, .by_header = found->second != dev_id};
    RememberedRules& known = memory();
    const std::uint64_t changes = known.changes;
    route = look_up_route(dev_id, *header);
    if (route.kind == Route::known && changes == known.changes) {
        if (known.routes.size() == max_remembered)
            known.routes.clear();
        known.routes.emplace(key, route.dev_id);
    }
    return route;
}

bool settle(const Route& route, const std::optional<std::string>& header) {
    if (route.kind == Route::known)
        return true;
    // One at a time: two first deliveries must not be taken for those of one environment.
    Table table("environments", ShareRowExclusiveLock);
    const Route now = look_up_route(route.default_dev_id, *header);
    const bool is_same = now.dev_id == route.dev_id && now.kind == route.kind;
    if (is_same)
        as_definer(table.owner(), [&] {
            const auto parameters = {text_parameter(route.dev_id), text_parameter(*header)};
            update_terra_dev_id.run(parameters);
            if (Query::rows() == 0)
                insert_environment.run(parameters);
        });
    table.close();
    return is_same;
}

Rules read_rules(const std::string& dev_id, Reads reads) {
    Rules rules;
    Table environments("environments", AccessShareLock);
    const IndexScan by_key{
        .table = environments.relation(), .index = relation_named("environments_pkey"), .reads = reads, .limit = 1};
    for (const HeapTuple row : by_key.fetch(IndexKeys().equals(dev_id)))
        if (const auto policy =
                account_policy_of(string_of(attribute(row, environments.columns(), environment_account_policy).value)))
            rules.account_policy = *policy;
    environments.close();

    Table providers("providers", AccessShareLock);
    for (const HeapTuple row : providers.all(reads)) {
        const auto value = [&](ProviderColumn column) { return attribute(row, providers.columns(), column).value; };
        const std::string provider = string_of(value(provider_provider));
        if (DatumGetBool(value(provider_sdk)))
            rules.sdk_providers.insert(provider);
        if (string_of(value(provider_account_ids)) == "unusable")
            rules.unusable_providers.insert(provider);
    }
    providers.close();
    return rules;
}

void forget_rules(Oid changed) {
    if (remembered == nullptr ||
        (changed != InvalidOid && changed != remembered->environments && changed != remembered->providers))
        return;
    ++remembered->changes;
    remembered->of_environment.clear();
    remembered->routes.clear();
}

void forget_rules_everywhere() {
    for (const char* const table : {"environments", "providers"}) {
        const Oid oid = relation_named(table);
        call([oid] { CacheInvalidateRelcacheByRelid(oid); });
    }
    forget_rules(InvalidOid); // here they are forgotten only when the command ends
}

Rules remembered_rules(const std::string& dev_id) {
    // What was committed before the lock was granted is known from here on.
    call([] { AcceptInvalidationMessages(); });
    if (remembered != nullptr)
        if (const auto found = remembered->of_environment.find(dev_id); found != remembered->of_environment.end())
            return found->second;
    RememberedRules& known = memory();
    const std::uint64_t changes = known.changes;
    Rules rules = read_rules(dev_id, Reads::latest);
    if (known.of_environment.size() == max_remembered)
        known.of_environment.clear();
    if (changes == known.changes) // else they may have changed while they were read
        known.of_environment.emplace(dev_id, rules);
    return rules;
}

} // namespace terra_identity::pg
