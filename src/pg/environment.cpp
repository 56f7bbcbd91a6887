#include "pg/environment.h"

#include "pg/relations.h"

#include <array>

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

} // namespace

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

} // namespace terra_identity::pg
