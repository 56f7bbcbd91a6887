// The triggers of `environments` and `providers`: rules that change are followed in the same transaction.
#include "pg/datum.h"
#include "pg/environment.h"
#include "pg/query.h"
#include "pg/relations.h"
#include "pg/trigger.h"
#include "pg/whole.h"

#include <set>

extern "C" {
#include "tcop/pquery.h"
}

namespace terra_identity {
namespace {

using namespace pg;

/// Both tables have their key first and the rules after it.
enum RuleColumn : AttrNumber { rule_key = 1, account_policy, signature_required, signature_tolerance, sdk = 2 };

Query update_environment = R"(
    UPDATE terra_identity.environments e
    SET account_policy = $2, signature_required = $3, signature_tolerance = $4 WHERE e.dev_id = $1)";
Query update_provider = "UPDATE terra_identity.providers p SET sdk = $2 WHERE p.provider = $1";

/// A column of the row that a trigger was fired for, as a parameter.
Query::Parameter column_of(TriggerData* trigger, AttrNumber number, Oid type) {
    const Attribute column = attribute(trigger->tg_trigtuple, trigger->tg_relation, number);
    return {type, {column.value, column.is_null}};
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
                            {column_of(trigger, rule_key, TEXTOID), column_of(trigger, account_policy, TEXTOID),
                             column_of(trigger, signature_required, BOOLOID),
                             column_of(trigger, signature_tolerance, INTERVALOID)});
}

HeapTuple insert_provider(TriggerData* trigger) {
    return insert_or_update(trigger, update_provider,
                            {column_of(trigger, rule_key, TEXTOID), column_of(trigger, sdk, BOOLOID)});
}

/// Whether the statement is a COPY. What COPY brings comes from a dump: connections that were derived by these rules
/// are restored beside them, in any order, and must not be derived from what has been restored so far.
bool is_restoring() { return ActivePortal != nullptr && ActivePortal->commandTag == CMDTAG_COPY; }

/// Whether a row of `environments` was changed in more than what is asked at the door.
bool changes_connections(TriggerData* trigger) {
    if (trigger->tg_newtuple == nullptr)
        return true;
    const auto text = [trigger](HeapTuple row, AttrNumber number) {
        return string_of(attribute(row, trigger->tg_relation, number).value);
    };
    return text(trigger->tg_trigtuple, rule_key) != text(trigger->tg_newtuple, rule_key) ||
           text(trigger->tg_trigtuple, account_policy) != text(trigger->tg_newtuple, account_policy);
}

/// AFTER INSERT OR UPDATE OR DELETE FOR EACH ROW on `environments`.
void follow_environment(TriggerData* trigger) {
    if (is_restoring() || !changes_connections(trigger))
        return;
    std::set<std::string> dev_ids;
    for (const HeapTuple row : {trigger->tg_trigtuple, trigger->tg_newtuple})
        if (row != nullptr)
            dev_ids.insert(string_of(attribute(row, trigger->tg_relation, rule_key).value));
    Table table("connections", RowExclusiveLock);
    as_owner(table.owner(), [&] {
        for (const std::string& dev_id : dev_ids)
            follow_rules(table, dev_id);
    });
    table.close();
}

/// AFTER FOR EACH STATEMENT on `providers`, whose rows hold for every environment: nobody writes connections meanwhile.
void follow_all_rules() {
    if (is_restoring())
        return;
    Table table("connections", ShareRowExclusiveLock);
    as_owner(table.owner(), [&] {
        for (std::string dev_id = next_environment(""); !dev_id.empty(); dev_id = next_environment(dev_id))
            follow_rules(table, dev_id);
    });
    table.close();
}

} // namespace
} // namespace terra_identity

namespace ti = terra_identity;

extern "C" {

PG_FUNCTION_INFO_V1(terra_identity_insert_environment);
PG_FUNCTION_INFO_V1(terra_identity_insert_provider);
PG_FUNCTION_INFO_V1(terra_identity_follow_environment);
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

PGDLLEXPORT Datum terra_identity_follow_rules(PG_FUNCTION_ARGS) {
    return ti::pg::entry([fcinfo] {
        ti::pg::trigger_data(fcinfo, "_follow_rules", TRIGGER_EVENT_AFTER, ti::pg::any_operation,
                             "AFTER FOR EACH STATEMENT");
        ti::follow_all_rules();
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
