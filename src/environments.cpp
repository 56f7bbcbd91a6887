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

/// Both tables have their key first and one column of rules after it.
enum RuleColumn : AttrNumber { rule_key = 1, rule_value };

Query update_environment = "UPDATE terra_identity.environments e SET account_policy = $2 WHERE e.dev_id = $1";
Query update_provider = "UPDATE terra_identity.providers p SET sdk = $2 WHERE p.provider = $1";

/// BEFORE INSERT FOR EACH ROW: a row whose key is there already changes that row, so that INSERT works for rows that
/// the extension brought, in a restore too. As the user who inserts.
HeapTuple insert_or_update(TriggerData* trigger, Query& update, Oid value_type) {
    const HeapTuple row = trigger->tg_trigtuple;
    const Attribute key = attribute(row, trigger->tg_relation, rule_key);
    const Attribute value = attribute(row, trigger->tg_relation, rule_value);
    if (key.is_null || value.is_null)
        return row; // the NOT NULL constraints say it best
    bool updated = false;
    as_owner(GetUserId(), [&] {
        update.run({{TEXTOID, NullableValue(key.value)}, {value_type, NullableValue(value.value)}});
        updated = Query::rows() > 0;
    });
    return updated ? nullptr : row;
}

/// Whether the statement is a COPY. What COPY brings comes from a dump: connections that were derived by these rules
/// are restored beside them, in any order, and must not be derived from what has been restored so far.
bool is_restoring() { return ActivePortal != nullptr && ActivePortal->commandTag == CMDTAG_COPY; }

/// AFTER INSERT OR UPDATE OR DELETE FOR EACH ROW on `environments`.
void follow_environment(TriggerData* trigger) {
    if (is_restoring())
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
        return PointerGetDatum(ti::insert_or_update(
            ti::pg::trigger_data(fcinfo, "_insert_environment", TRIGGER_EVENT_ROW | TRIGGER_EVENT_BEFORE,
                                 TRIGGER_EVENT_INSERT, "BEFORE INSERT FOR EACH ROW"),
            ti::update_environment, TEXTOID));
    });
}

PGDLLEXPORT Datum terra_identity_insert_provider(PG_FUNCTION_ARGS) {
    return ti::pg::entry([fcinfo] {
        return PointerGetDatum(ti::insert_or_update(
            ti::pg::trigger_data(fcinfo, "_insert_provider", TRIGGER_EVENT_ROW | TRIGGER_EVENT_BEFORE,
                                 TRIGGER_EVENT_INSERT, "BEFORE INSERT FOR EACH ROW"),
            ti::update_provider, BOOLOID));
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
