// The triggers of `environments` and `providers`: rules that change are followed in the same transaction.
#include "pg/datum.h"
#include "pg/environment.h"
#include "pg/query.h"
#include "pg/relations.h"
#include "pg/trigger.h"
#include "pg/whole.h"

#include <algorithm>
#include <set>

namespace terra_identity {
namespace {

using namespace pg;

/// What an INSERT leaves out is null here, and stays as it is. It never relaxes the signature rules.
Query update_environment = R"(
    UPDATE terra_identity.environments e
    SET terra_dev_id = coalesce($2, e.terra_dev_id), account_policy = coalesce($3, e.account_policy),
        signature_required = e.signature_required OR $4,
        signature_tolerance = CASE WHEN $5 = interval '24 hours' THEN e.signature_tolerance ELSE $5 END
    WHERE e.dev_id = $1)";
Query update_provider = R"(
    UPDATE terra_identity.providers p SET sdk = coalesce($2, p.sdk), account_ids = coalesce($3, p.account_ids)
    WHERE p.provider = $1)";

/// A column of the row that a trigger was fired for, as a parameter.
Query::Parameter column_of(TriggerData* trigger, AttrNumber number, Oid type) {
    return {type, attribute(trigger->tg_trigtuple, trigger->tg_relation, number)};
}

/// What a new row has where nothing was given.
struct Default {
    AttrNumber column;
    Datum value;
};

/// BEFORE INSERT FOR EACH ROW: a row whose key is there already changes that row, so that INSERT works for rows that
/// the extension brought, in a restore too. As the user who inserts.
HeapTuple insert_or_update(TriggerData* trigger, Query& update, std::initializer_list<Query::Parameter> row,
                           std::initializer_list<Default> defaults) {
    bool updated = false;
    as_owner(GetUserId(), [&] {
        update.run(row);
        updated = Query::rows() > 0;
    });
    if (updated)
        return nullptr;
    HeapTuple added = trigger->tg_trigtuple;
    const TupleDesc columns = RelationGetDescr(trigger->tg_relation);
    for (const Default& left_out : defaults)
        if (attribute(added, columns, left_out.column).is_null)
            added = call([=, column = static_cast<int>(left_out.column), value = left_out.value]() mutable {
                bool is_null = false;
                return heap_modify_tuple_by_cols(added, columns, 1, &column, &value, &is_null);
            });
    return added;
}

HeapTuple insert_environment(TriggerData* trigger) {
    return insert_or_update(trigger, update_environment,
                            {column_of(trigger, environment_dev_id, TEXTOID),
                             column_of(trigger, environment_terra_dev_id, TEXTOID),
                             column_of(trigger, environment_account_policy, TEXTOID),
                             column_of(trigger, environment_signature_required, BOOLOID),
                             column_of(trigger, environment_signature_tolerance, INTERVALOID)},
                            {{environment_account_policy, text_of("keep")}});
}

HeapTuple insert_provider(TriggerData* trigger) {
    return insert_or_update(trigger, update_provider,
                            {column_of(trigger, provider_provider, TEXTOID), column_of(trigger, provider_sdk, BOOLOID),
                             column_of(trigger, provider_account_ids, TEXTOID)},
                            {{provider_sdk, BoolGetDatum(false)}, {provider_account_ids, text_of("unique")}});
}

/// The values of one column in the row before and after, each once.
std::set<std::string> both_values(TriggerData* trigger, AttrNumber column) {
    std::set<std::string> values;
    for (const HeapTuple row : {trigger->tg_trigtuple, trigger->tg_newtuple})
        if (row != nullptr)
            values.insert(string_of(attribute(row, trigger->tg_relation, column).value));
    return values;
}

/// Whether the trigger was fired for an UPDATE that leaves these columns as they are.
bool changes_none(TriggerData* trigger, std::initializer_list<AttrNumber> columns) {
    const TupleDesc described = RelationGetDescr(trigger->tg_relation);
    return trigger->tg_newtuple != nullptr && std::all_of(columns.begin(), columns.end(), [&](AttrNumber column) {
               const Datum before = attribute(trigger->tg_trigtuple, described, column).value;
               const Datum after = attribute(trigger->tg_newtuple, described, column).value;
               return TupleDescAttr(described, column - 1)->atttypid == BOOLOID ? before == after
                                                                                : string_of(before) == string_of(after);
           });
}

/// Whether an environment got or lost a row that says what holds without one: then there is nothing to follow, and the
/// first delivery of an environment takes no lock of it.
bool is_as_without_row(TriggerData* trigger) {
    const Datum policy = attribute(trigger->tg_trigtuple, trigger->tg_relation, environment_account_policy).value;
    return trigger->tg_newtuple == nullptr && account_policy_of(string_of(policy)) == AccountPolicy::keep;
}

// Rules are followed by comparison: connections are derived again if they were derived by another rule than the row
// says. So a restore, which brings connections and rules in any order, derives nothing.

/// AFTER INSERT OR UPDATE OR DELETE FOR EACH ROW on `environments`.
void follow_environment(TriggerData* trigger) {
    if (changes_none(trigger, {environment_dev_id, environment_account_policy}) || is_as_without_row(trigger))
        return;
    Table table("connections", RowExclusiveLock);
    as_owner(table.owner(), [&] {
        for (const std::string& dev_id : both_values(trigger, environment_dev_id))
            follow_policy(table, dev_id);
    });
    table.close();
}

/// AFTER INSERT OR UPDATE OR DELETE FOR EACH ROW on `providers`, whose rows hold for every environment: nobody writes
/// connections meanwhile.
void follow_provider(TriggerData* trigger) {
    if (changes_none(trigger, {provider_provider, provider_sdk, provider_account_ids}))
        return;
    Table table("connections", ShareRowExclusiveLock);
    as_owner(table.owner(), [&] {
        for (const std::string& provider : both_values(trigger, provider_provider))
            pg::follow_provider(table, provider);
    });
    table.close();
}

/// AFTER TRUNCATE on either.
void follow_rules() {
    Table table("connections", ShareRowExclusiveLock);
    as_owner(table.owner(), [&] { follow_all_rules(table); });
    table.close();
}

} // namespace
} // namespace terra_identity

namespace ti = terra_identity;

extern "C" {

PG_FUNCTION_INFO_V1(terra_identity_insert_environment);
PG_FUNCTION_INFO_V1(terra_identity_insert_provider);
PG_FUNCTION_INFO_V1(terra_identity_follow_environment);
PG_FUNCTION_INFO_V1(terra_identity_follow_provider);
PG_FUNCTION_INFO_V1(terra_identity_follow_rules);
PG_FUNCTION_INFO_V1(terra_identity_forget_rules);

PGDLLEXPORT Datum terra_identity_insert_environment(PG_FUNCTION_ARGS) {
    return ti::pg::entry([fcinfo] {
        return PointerGetDatum(ti::insert_environment(
            ti::pg::trigger_data(fcinfo, "_insert_environment", TRIGGER_EVENT_ROW | TRIGGER_EVENT_BEFORE,
                                 TRIGGER_EVENT_INSERT, "BEFORE INSERT FOR EACH ROW")));
    });
}

PGDLLEXPORT Datum terra_identity_insert_provider(PG_FUNCTION_ARGS) {
    return ti::pg::entry([fcinfo] {
        return PointerGetDatum(ti::insert_provider(
            ti::pg::trigger_data(fcinfo, "_insert_provider", TRIGGER_EVENT_ROW | TRIGGER_EVENT_BEFORE,
                                 TRIGGER_EVENT_INSERT, "BEFORE INSERT FOR EACH ROW")));
    });
}

PGDLLEXPORT Datum terra_identity_follow_environment(PG_FUNCTION_ARGS) {
    return ti::pg::entry([fcinfo] {
        ti::follow_environment(ti::pg::trigger_data(fcinfo, "_follow_environment",
                                                    TRIGGER_EVENT_ROW | TRIGGER_EVENT_AFTER, ti::pg::any_operation,
                                                    "AFTER FOR EACH ROW"));
        return PointerGetDatum(nullptr);
    });
}

PGDLLEXPORT Datum terra_identity_follow_provider(PG_FUNCTION_ARGS) {
    return ti::pg::entry([fcinfo] {
        ti::follow_provider(ti::pg::trigger_data(fcinfo, "_follow_provider", TRIGGER_EVENT_ROW | TRIGGER_EVENT_AFTER,
                                                 ti::pg::any_operation, "AFTER FOR EACH ROW"));
        return PointerGetDatum(nullptr);
    });
}

PGDLLEXPORT Datum terra_identity_follow_rules(PG_FUNCTION_ARGS) {
    return ti::pg::entry([fcinfo] {
        ti::pg::trigger_data(fcinfo, "_follow_rules", TRIGGER_EVENT_AFTER, ti::pg::any_operation,
                             "AFTER FOR EACH STATEMENT");
        ti::follow_rules();
        return PointerGetDatum(nullptr);
    });
}

PGDLLEXPORT Datum terra_identity_forget_rules(PG_FUNCTION_ARGS) {
    return ti::pg::entry([fcinfo] {
        ti::pg::trigger_data(fcinfo, "_forget_rules", TRIGGER_EVENT_ROW | TRIGGER_EVENT_AFTER, ti::pg::any_operation,
                             "AFTER FOR EACH ROW");
        ti::pg::forget_rules_everywhere();
        return PointerGetDatum(nullptr);
    });
}

} // extern "C"
