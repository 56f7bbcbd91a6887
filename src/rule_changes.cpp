// Triggers that derive connections again when rules change, in the same transaction. They compare stored connections
// with the rules, and derive only where these differ. So a restore, which brings connections and rules in any order,
// derives nothing.
#include "core/everything.h"

#include <algorithm>
#include <initializer_list>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "pg/datum.h"
#include "pg/function.h"
#include "pg/query.h"
#include "pg/relations.h"
#include "pg/trigger.h"
#include "tables/derived_writer.h"
#include "tables/disconnects.h"
#include "tables/locks.h"
#include "tables/progress.h"
#include "tables/rule_memory.h"
#include "tables/rules.h"
#include "tables/settings_row.h"
#include "tables/table_store.h"

namespace terra_identity {
namespace {

using namespace pg;
using namespace tables;

/// Whether the connections of an environment were derived by another policy than it has now. SDK providers do not
/// depend on the policy.
Query select_other_policy = R"(
    SELECT FROM terra_identity.connections c
    LEFT JOIN terra_identity.environments e ON e.dev_id = c.dev_id
    WHERE c.dev_id = $1 AND NOT c.sdk AND c.account_exclusive <> (coalesce(e.account_policy, 'keep') = 'replace')
    LIMIT 1)";

/// The environments of which connections were derived by other rules of the provider $1 than it has now.
Query select_environments_of_other_provider = R"(
    SELECT DISTINCT c.dev_id FROM terra_identity.connections c
    LEFT JOIN terra_identity.providers p ON p.provider = c.provider
    WHERE c.provider = $1
      AND (c.sdk <> coalesce(p.sdk, false) OR c.account_unusable <> (coalesce(p.account_ids, 'unique') = 'unusable')))";

void derive_again(const Table& table, const std::string& dev_id) {
    const Rules rules = read_rules(dev_id, Reads::latest);
    TableStore store(table, dev_id);
    ToldProgress progress("deriving again");
    std::vector<Connection> stored = store.all_connections();
    const std::vector<Reauth> reauths = store.all_reauths();
    progress.begin("connections derived", stored.size());
    progress.at(0);
    write(derive_everything(rules, std::move(stored), reauths), store, rules.on_duplicate, &progress);
}

/// Derives an environment again if its account policy has changed, and makes its disconnects follow from its rules.
/// Like follow_provider, it must run within `as_owner`.
/// @param restored whether the rules came with a restore, which also brings the disconnects
void follow_environment(const Table& table, const std::string& dev_id, bool restored) {
    EnvironmentLocks locks(dev_id);
    locks.lock_environment(true);
    select_other_policy.run({text_parameter(dev_id)});
    if (Query::rows() > 0)
        derive_again(table, dev_id);
    if (restored)
        return;
    TableStore store(table, dev_id);
    write_all_disconnects(read_rules(dev_id, Reads::latest).on_duplicate, store);
}

void follow_provider(const Table& table, const std::string& provider) {
    const SPITupleTable* const found = select_environments_of_other_provider.run({text_parameter(provider)});
    std::set<std::string> dev_ids; // in the order in which everybody locks several environments
    for (std::uint64_t i = 0; i < Query::rows(); ++i)
        dev_ids.insert(string_of(column(found, i, 1).value));
    for (const std::string& dev_id : dev_ids) {
        EnvironmentLocks locks(dev_id);
        locks.lock_environment(true);
        derive_again(table, dev_id);
    }
}

/// The values of a column in the old and the new row of the trigger, each once.
std::set<std::string> both_values(TriggerData* trigger, AttrNumber column) {
    std::set<std::string> values;
    for (const HeapTuple row : {trigger->tg_trigtuple, trigger->tg_newtuple})
        if (row != nullptr)
            values.insert(string_of(attribute(row, trigger->tg_relation, column).value));
    return values;
}

/// Whether the trigger was fired by an UPDATE that changes none of these columns.
bool changes_none(TriggerData* trigger, std::initializer_list<AttrNumber> columns) {
    const TupleDesc described = RelationGetDescr(trigger->tg_relation);
    return trigger->tg_newtuple != nullptr && std::all_of(columns.begin(), columns.end(), [&](AttrNumber column) {
               const Datum before = attribute(trigger->tg_trigtuple, described, column).value;
               const Datum after = attribute(trigger->tg_newtuple, described, column).value;
               return TupleDescAttr(described, column - 1)->atttypid == BOOLOID ? before == after
                                                                                : string_of(before) == string_of(after);
           });
}

/// Whether an environment gained or lost a row with the default rules, which also hold without a row. Then nothing has
/// to be derived, and the first delivery of an environment does not lock it.
bool is_as_without_row(TriggerData* trigger) {
    const auto word = [trigger](EnvironmentColumn column) {
        return string_of(attribute(trigger->tg_trigtuple, trigger->tg_relation, column).value);
    };
    return trigger->tg_newtuple == nullptr &&
           account_policy_of(word(environment_account_policy)) == AccountPolicy::keep &&
           on_duplicate_of(word(environment_on_duplicate)) == OnDuplicate::report;
}

/// The environments whose rules the statement in progress has changed. A rollback may leave some behind; they are
/// checked once too often, which changes nothing.
std::set<std::string>* edited = nullptr;

} // namespace

/// AFTER INSERT OR UPDATE OR DELETE FOR EACH ROW on `environment_settings`: collects environments whose rules changed.
PG_FUNCTION(terra_identity_collect_environment) {
    TriggerData* const trigger = trigger_data(fcinfo, "environment_settings", TRIGGER_EVENT_ROW | TRIGGER_EVENT_AFTER,
                                              any_operation, "AFTER FOR EACH ROW");
    if (changes_none(trigger, {environment_dev_id, environment_account_policy, environment_on_duplicate}) ||
        is_as_without_row(trigger))
        return Datum{0};
    if (edited == nullptr)
        edited = new std::set<std::string>;
    edited->merge(both_values(trigger, environment_dev_id));
    return Datum{0};
}

/// AFTER INSERT OR UPDATE OR DELETE FOR EACH STATEMENT on `environments` and `environment_settings`: derives the
/// collected environments again, in the order of their names, in which all transactions lock environments. An edit
/// through the view runs several statements on the table: it derives after the statement on the view, not after each of
/// these. What is written to the table itself comes from a restore.
PG_FUNCTION(terra_identity_follow_environments) {
    const TriggerData* const trigger =
        trigger_data(fcinfo, any_table, TRIGGER_EVENT_AFTER, any_operation, "AFTER FOR EACH STATEMENT");
    const bool restored = std::string_view(RelationGetRelationName(trigger->tg_relation)) == "environment_settings";
    if (edited == nullptr || edited->empty() || PartialSettings::exist())
        return Datum{0};
    const std::set<std::string> dev_ids = std::exchange(*edited, {});
    Table table("connections", RowExclusiveLock);
    as_owner(table.owner(), [&] {
        for (const std::string& dev_id : dev_ids)
            follow_environment(table, dev_id, restored);
    });
    table.close();
    return Datum{0};
}

/// AFTER INSERT OR UPDATE OR DELETE FOR EACH ROW on `provider_settings`: derives the provider's connections again, in
/// all environments. Nobody else writes connections meanwhile.
PG_FUNCTION(terra_identity_follow_provider) {
    TriggerData* const trigger = trigger_data(fcinfo, "provider_settings", TRIGGER_EVENT_ROW | TRIGGER_EVENT_AFTER,
                                              any_operation, "AFTER FOR EACH ROW");
    if (changes_none(trigger, {provider_provider, provider_sdk, provider_account_ids}))
        return Datum{0};
    Table table("connections", ShareRowExclusiveLock);
    as_owner(table.owner(), [&] {
        for (const std::string& provider : both_values(trigger, provider_provider))
            follow_provider(table, provider);
    });
    table.close();
    return Datum{0};
}

PG_FUNCTION(terra_identity_forget_rules_everywhere) {
    trigger_data(fcinfo, any_table, TRIGGER_EVENT_ROW | TRIGGER_EVENT_AFTER, any_operation, "AFTER FOR EACH ROW");
    forget_rules_everywhere();
    return Datum{0};
}

/// BEFORE TRUNCATE: refuses it. Deriving again after a TRUNCATE would lock the rules before the connections, while
/// writers lock them in the opposite order. And sessions would not notice a TRUNCATE of `readers`.
PG_FUNCTION(terra_identity_refuse_truncate) {
    TriggerData* const trigger =
        trigger_data(fcinfo, any_table, TRIGGER_EVENT_BEFORE, any_operation, "BEFORE TRUNCATE FOR EACH STATEMENT");
    const std::string table = RelationGetRelationName(trigger->tg_relation);
    throw Error{"0A000", "table terra_identity." + table + " cannot be truncated", "",
                "DELETE FROM terra_identity." +
                    (table == "provider_settings"      ? "providers"
                     : table == "environment_settings" ? "environments"
                                                       : table) +
                    "."};
}

} // namespace terra_identity
