#include "tables/environment.h"

#include "core/text.h"

#include "tables/locks.h"
#include "pg/query.h"
#include "pg/relations.h"
#include "pg/settings.h"

#include <cstdint>
#include <map>
#include <set>
#include <string_view>
#include <utility>

extern "C" {
#include "utils/inval.h"
}

namespace terra_identity::tables {

using namespace pg;

namespace {

/// The tables of rules.
constexpr const char* rule_tables[] = {"environment_settings", "provider_settings"};

/// The rules that this backend has read, until somebody commits others or takes them back.
struct RememberedRules {
    std::set<Oid> tables;
    std::uint64_t changes = 0;
    std::map<std::string, Rules> of_environment;
    std::set<std::string> unsigned_environments;
    std::map<std::string, std::string> routes; ///< the dev_id by the default one, a zero byte, and the header
};

RememberedRules* remembered = nullptr;

constexpr std::size_t max_remembered = 100;

/// Whether every session hears of what changes in a table, whoever changes it. A restore with --disable-triggers
/// leaves the trigger that tells it as an ordinary one, which replication does not fire: then nothing is remembered.
bool is_told(const Table& table) {
    const TriggerDesc* const triggers = table.relation()->trigdesc;
    for (int i = 0; triggers != nullptr && i < triggers->numtriggers; ++i)
        if (std::string_view(triggers->triggers[i].tgname) == "forget_rules")
            return triggers->triggers[i].tgenabled == TRIGGER_FIRES_ALWAYS;
    return false;
}

/// The memory, for something that is about to be read; null if it must not be remembered.
RememberedRules* memory() {
    if (remembered == nullptr)
        remembered = new RememberedRules;
    bool told = true;
    for (const char* const name : rule_tables) {
        Table table(name, AccessShareLock);
        remembered->tables.insert(RelationGetRelid(table.relation()));
        told = told && is_told(table);
        table.close();
    }
    return told ? remembered : nullptr;
}

/// What `environment_settings` says of a route.
class Environments {
public:
    Environments() : table_("environment_settings", AccessShareLock) {}

    bool has(const std::string& dev_id) const { return !rows("environment_settings_pkey", dev_id).empty(); }

    std::optional<std::string> terra_dev_id_of(const std::string& dev_id) const {
        for (const HeapTuple row : rows("environment_settings_pkey", dev_id))
            if (const NullableValue found = attribute(row, table_.columns(), environment_terra_dev_id); !found.is_null)
                return string_of(found.value);
        return std::nullopt;
    }

    std::optional<std::string> with_terra_dev_id(const std::string& terra_dev_id) const {
        for (const HeapTuple row : rows("environment_settings_terra_dev_id_key", terra_dev_id))
            return string_of(attribute(row, table_.columns(), environment_dev_id).value);
        return std::nullopt;
    }

    void close() { table_.close(); }

private:
    std::vector<HeapTuple> rows(const char* index, const std::string& key) const {
        const IndexScan scan{.table = table_.relation(), .index = index, .limit = 1};
        return scan.fetch(IndexKeys().equals(key));
    }

    Table table_;
};

/// If it is there, it learns.
Query insert_environment = "INSERT INTO terra_identity.environment_settings (dev_id, terra_dev_id) VALUES ($1, $2)";

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
    RememberedRules* const known = memory();
    const std::uint64_t changes = remembered->changes;
    route = look_up_route(dev_id, *header);
    if (known != nullptr && route.kind == Route::known && changes == known->changes) {
        if (known->routes.size() == max_remembered)
            known->routes.clear();
        known->routes.emplace(key, route.dev_id);
    }
    return route;
}

bool settle(const Route& route, const std::optional<std::string>& header) {
    if (route.kind == Route::known)
        return true;
    lock_settings(); // two first deliveries must not be taken for those of one environment
    Table table("environment_settings", RowExclusiveLock);
    const Route now = look_up_route(route.default_dev_id, *header);
    const bool is_same = now.dev_id == route.dev_id && now.kind == route.kind;
    const PartialSettings partial;
    if (is_same)
        as_definer(table.owner(), [&] {
            insert_environment.run({text_parameter(route.dev_id), text_parameter(*header)});
        });
    table.close();
    return is_same;
}

bool is_unsigned(const std::string& dev_id, const std::function<bool()>& asks) {
    if (remembered != nullptr && remembered->unsigned_environments.contains(dev_id))
        return true;
    RememberedRules* const known = memory();
    const std::uint64_t changes = remembered->changes;
    if (asks())
        return false;
    if (known != nullptr && changes == known->changes) { // else one may be asked for since it was read
        if (known->unsigned_environments.size() == max_remembered)
            known->unsigned_environments.clear();
        known->unsigned_environments.insert(dev_id);
    }
    return true;
}

Rules read_rules(const std::string& dev_id, Reads reads) {
    Rules rules;
    Table environments("environment_settings", AccessShareLock);
    const IndexScan by_key{
        .table = environments.relation(), .index = "environment_settings_pkey", .reads = reads, .limit = 1};
    for (const HeapTuple row : by_key.fetch(IndexKeys().equals(dev_id)))
        if (const auto policy =
                account_policy_of(string_of(attribute(row, environments.columns(), environment_account_policy).value)))
            rules.account_policy = *policy;
    environments.close();

    rules.sdk_providers.insert(built_in_sdk_providers.begin(), built_in_sdk_providers.end());
    Table providers("provider_settings", AccessShareLock);
    for (const HeapTuple row : providers.all(reads)) {
        const auto value = [&](ProviderColumn column) { return attribute(row, providers.columns(), column).value; };
        const std::string provider = string_of(value(provider_provider));
        if (DatumGetBool(value(provider_sdk)))
            rules.sdk_providers.insert(provider);
        else
            rules.sdk_providers.erase(provider);
        if (string_of(value(provider_account_ids)) == "unusable")
            rules.unusable_providers.insert(provider);
    }
    providers.close();
    return rules;
}

void forget_rules(Oid changed) {
    if (remembered == nullptr || (changed != InvalidOid && !remembered->tables.contains(changed)))
        return;
    remembered->tables.clear();
    ++remembered->changes;
    remembered->of_environment.clear();
    remembered->unsigned_environments.clear();
    remembered->routes.clear();
}

void forget_rules_everywhere() {
    for (const char* const table : rule_tables) {
        const Oid oid = lock_relation(table, AccessShareLock);
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
    RememberedRules* const known = memory();
    const std::uint64_t changes = remembered->changes;
    Rules rules = read_rules(dev_id, Reads::latest);
    if (known != nullptr && changes == known->changes) { // else they may have changed while they were read
        if (known->of_environment.size() == max_remembered)
            known->of_environment.clear();
        known->of_environment.emplace(dev_id, rules);
    }
    return rules;
}

} // namespace terra_identity::tables
