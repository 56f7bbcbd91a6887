#include "pg/environment.h"

namespace terra_identity::pg {
namespace {

/// The policy first, then the SDK providers.
Query select_rules = R"(
    SELECT e.account_policy, true FROM terra_identity.environments e WHERE e.dev_id = $1
    UNION ALL
    SELECT p.provider, false FROM terra_identity.providers p WHERE p.sdk)";

} // namespace

Rules read_rules(const std::string& dev_id, Reads reads) {
    SPITupleTable* const table = select_rules.run({text_parameter(dev_id)}, reads);
    Rules rules;
    for (std::uint64_t i = 0; i < table->numvals; ++i) {
        Datum values[2];
        bool nulls[2];
        heap_deform_tuple(table->vals[i], table->tupdesc, values, nulls);
        std::string text = string_of(values[0]);
        if (!DatumGetBool(values[1]))
            rules.sdk_providers.insert(std::move(text));
        else if (const auto policy = account_policy_of(text))
            rules.account_policy = *policy;
    }
    call([table] { SPI_freetuptable(table); });
    return rules;
}

} // namespace terra_identity::pg
