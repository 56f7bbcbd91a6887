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

/// The columns of `providers`, in their order in sql/install/04_rules.sql, counted from 1.
enum ProviderColumn : AttrNumber { provider_provider = 1, provider_sdk };

/// An INSERT does not make the door wider than it is: what it leaves at its default it may not have meant.
Query update_environment = R"(
    UPDATE terra_identity.environments e
    SET account_policy = $2, signature_required = e.signature_required OR $3,
        signature_tolerance = CASE WHEN $4 = interval '24 hours' THEN e.signature_tolerance ELSE $4 END
    WHERE e.dev_id = $1)";
Query update_provider = "UPDATE terra_identity.providers p SET sdk = $2 WHERE p.provider = $1";

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
                             column_of(trigger, environment_account_policy, TEXTOID),
                             column_of(trigger, environment_signature_required, BOOLOID),
                             column_of(trigger, environment_signature_tolerance, INTERVALOID)});
}

HeapTuple insert_provider(TriggerData* trigger) {
    return insert_or_update(
        trigger, update_provider,
        {column_of(trigger, provider_provider, TEXTOID), column_of(trigger, provider_sdk, BOOLOID)});
}

/// Whether the statement is a COPY. What COPY brings comes from a dump: connections that were derived by these rules
/// are restored beside them, in any order, and must not be derived from what has been restored so far.
bool is_restoring() { return ActivePortal != nullptr && ActivePortal->commandTag == CMDTAG_COPY; }

/// Whether connections follow: not from what is asked at the door, nor from a row that says what none would.
bool changes_connections(TriggerData* trigger) {
    const auto text = [trigger](HeapTuple row, AttrNumber number) {
        return string_of(attribute(row, trigger->tg_relation, number).value);
    };
    const HeapTuple row = trigger->tg_trigtuple;
    const HeapTuple changed = trigger->tg_newtuple;
    if (changed == nullptr)
        return account_policy_of(text(row, environment_account_policy)) != AccountPolicy::keep;
    return text(row, environment_account_policy) != text(changed, environment_account_policy) ||
           text(row, environment_dev_id) != text(changed, environment_dev_id);
}

/// AFTER INSERT OR UPDATE OR DELETE FOR EACH ROW on `environments`.
void follow_environment(TriggerData* trigger) {
    if (is_restoring() || !changes_connections(trigger))
        return;
    std::set<std::string> dev_ids;
    for (const HeapTuple row : {trigger->tg_trigtuple, trigger->tg_newtuple})
        if (row != nullptr)
            dev_ids.insert(string_of(attribute(row, trigger->tg_relation, environment_dev_id).value));
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
