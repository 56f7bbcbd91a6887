#include "pg/environment.h"

#include "core/text.h"

#include "pg/relations.h"
#include "pg/settings.h"

#include <array>
#include <cstdint>
#include <map>
#include <utility>

extern "C" {
#include "utils/inval.h"
}

namespace terra_identity::pg {
namespace {

/// `environments` and `providers` both have a key and one column of rules.
struct RuleRow {
    std::string key;
    Datum value;
};

RuleRow rule_of(HeapTuple row, TupleDesc columns) {
    std::array<Datum, 2> values{};
    bool is_null = false;
    for (int i = 0; i < 2; ++i)
        values[static_cast<std::size_t>(i)] = heap_getattr(row, i + 1, columns, &is_null);
    return {string_of(values[0]), values[1]};
}

/// The rules that this backend has read, until somebody commits others or takes them back.
struct RememberedRules {
    Oid environments = InvalidOid;
    Oid providers = InvalidOid;
    std::uint64_t changes = 0;
    std::map<std::string, Rules> of_environment;
};

RememberedRules* remembered = nullptr;

constexpr std::size_t max_remembered = 100;

} // namespace

std::string dev_id_or_setting(const NullableValue& given) {
    std::string dev_id = given.is_null ? std::string(setting_dev_id()) : string_of(given.value);
    if (dev_id.empty() || dev_id.size() > max_id_bytes)
        throw Error{"22023", "invalid dev_id", "A dev_id has 1 to " + std::to_string(max_id_bytes) + " bytes."};
    return dev_id;
}

Rules read_rules(const std::string& dev_id, Reads reads) {
    Rules rules;
    Table environments("environments", AccessShareLock);
    const IndexScan by_key{
        .table = environments.relation(), .index = relation_named("environments_pkey"), .reads = reads, .limit = 1};
    for (const HeapTuple row : by_key.fetch(IndexKeys().equals(dev_id)))
        if (const auto policy = account_policy_of(string_of(rule_of(row, environments.columns()).value)))
            rules.account_policy = *policy;
    environments.close();

    Table providers("providers", AccessShareLock);
    for (const HeapTuple row : providers.all(reads))
        if (RuleRow rule = rule_of(row, providers.columns()); DatumGetBool(rule.value))
            rules.sdk_providers.insert(std::move(rule.key));
    providers.close();
    return rules;
}

void forget_rules(Oid changed) {
    if (remembered == nullptr ||
        (changed != InvalidOid && changed != remembered->environments && changed != remembered->providers))
        return;
    ++remembered->changes;
    remembered->of_environment.clear();
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
    if (remembered == nullptr)
        remembered = new RememberedRules;
    if (const auto found = remembered->of_environment.find(dev_id); found != remembered->of_environment.end())
        return found->second;
    remembered->environments = relation_named("environments");
    remembered->providers = relation_named("providers");
    const std::uint64_t changes = remembered->changes;
    Rules rules = read_rules(dev_id, Reads::latest);
    if (remembered->of_environment.size() == max_remembered)
        remembered->of_environment.clear();
    if (changes == remembered->changes) // else they may have changed while they were read
        remembered->of_environment.emplace(dev_id, rules);
    return rules;
}

} // namespace terra_identity::pg
