// The triggers of `environments` and `providers`: rules that change are followed in the same transaction.
#include "pg/datum.h"
#include "pg/environment.h"
#include "pg/query.h"
#include "pg/relations.h"
#include "pg/trigger.h"
#include "pg/whole.h"

#include <set>

namespace terra_identity {
namespace {

using namespace pg;

/// INSERT never relaxes the signature rules, nor forgets a terra_dev_id: what it leaves at its default it may not have
/// meant.
Query update_environment = R"(
    UPDATE terra_identity.environments e
    SET terra_dev_id = coalesce($2, e.terra_dev_id), account_policy = $3,
        signature_required = e.signature_required OR $4,
        signature_tolerance = CASE WHEN $5 = interval '24 hours' THEN e.signature_tolerance ELSE $5 END
    WHERE e.dev_id = $1)";
Query update_provider = R"(
    UPDATE terra_identity.providers p SET sdk = $2, account_ids = $3 WHERE p.provider = $1)";

/// A column of the row that a trigger was fired for, as a parameter.
Query::Parameter column_of(TriggerData* trigger, AttrNumber number, Oid type) {
    return {type, attribute(trigger->tg_trigtuple, trigger->tg_relation, number)};
}

/// BEFORE INSERT FOR EACH ROW: a row whose key is there already changes that row, so that INSERT works for rows that
/// the extension brought, in a restore too. As the user who inserts.
HeapTuple insert_or_update(TriggerData* trigger, Query& update, std::initializer_list<Query::Parameter> row) {
    bool updated = false;
    as_owner(GetUserId(), [&] {
        update.run(row);
        updated = Query::rows() > 0;
    });
    return updated ? nullptr : trigger->tg_trigtuple;
}

HeapTuple insert_environment(TriggerData* trigger) {
    return insert_or_update(trigger, update_environment,
                            {column_of(trigger, environment_dev_id, TEXTOID),
                             column_of(trigger, environment_terra_dev_id, TEXTOID),
                             column_of(trigger, environment_account_policy, TEXTOID),
                             column_of(trigger, environment_signature_required, BOOLOID),
                             column_of(trigger, environment_signature_tolerance, INTERVALOID)});
}

HeapTuple insert_provider(TriggerData* trigger) {
    return insert_or_update(trigger, update_provider,
                            {column_of(trigger, provider_provider, TEXTOID), column_of(trigger, provider_sdk, BOOLOID),
                             column_of(trigger, provider_account_ids, TEXTOID)});
}

/// The values of one column in the row before and after, each once.
std::set<std::string> both_values(TriggerData* trigger, AttrNumber column) {
    std::set<std::string> values;
    for (const HeapTuple row : {trigger->tg_trigtuple, trigger->tg_newtuple})
        if (row != nullptr)
            values.insert(string_of(attribute(row, trigger->tg_relation, column).value));
    return values;
}

// Rules are followed by comparison: connections are derived again if they were derived by another rule than the row
// says. So a restore, which brings connections and rules in any order, derives nothing.

/// AFTER INSERT OR UPDATE OR DELETE FOR EACH ROW on `environments`.
void follow_environment(TriggerData* trigger) {
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
