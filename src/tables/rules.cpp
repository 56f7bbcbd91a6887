#include "tables/rules.h"

#include "pg/relations.h"
#include "tables/rule_memory.h"
#include "tables/settings_row.h"

namespace terra_identity::tables {

using namespace pg;

namespace {

/// The remembered rules, by dev_id.
constinit Remembered<Rules> known_rules;
constinit Remembered<bool> known_to_store_data;

} // namespace

Rules read_rules(const std::string& dev_id, Reads reads) {
    Rules rules;
    Table environments("environment_settings", AccessShareLock);
    const IndexScan by_key{
        .table = environments.relation(), .index = "environment_settings_pkey", .reads = reads, .limit = 1};
    for (const HeapTuple row : by_key.fetch(IndexKeys().equals(dev_id))) {
        const auto word = [&](EnvironmentColumn column) {
            return string_of(attribute(row, environments.columns(), column).value);
        };
        rules.account_policy = account_policy_of(word(environment_account_policy)).value_or(rules.account_policy);
        rules.on_duplicate = on_duplicate_of(word(environment_on_duplicate)).value_or(rules.on_duplicate);
    }
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

Rules remembered_rules(const std::string& dev_id) {
    if (const Rules* const known = known_rules.find(dev_id))
        return *known;
    const RuleReading reading;
    const Rules rules = read_rules(dev_id, Reads::latest);
    known_rules.remember(reading, dev_id, rules);
    return rules;
}

bool stores_data(const std::string& dev_id) {
    if (const bool* const known = known_to_store_data.find(dev_id))
        return *known;
    const RuleReading reading;
    bool result = true;
    Table environments("environment_settings", AccessShareLock);
    const IndexScan by_key{.table = environments.relation(), .index = "environment_settings_pkey", .limit = 1};
    for (const HeapTuple row : by_key.fetch(IndexKeys().equals(dev_id)))
        result = DatumGetBool(attribute(row, environments.columns(), environment_store_data).value);
    environments.close();
    known_to_store_data.remember(reading, dev_id, result);
    return result;
}

} // namespace terra_identity::tables
