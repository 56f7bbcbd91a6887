// Edits of the rules: INSERT, UPDATE and DELETE on the views `environments` and `providers`, and INSERT into the tables
// behind them. What follows from a changed rule is in rule_changes.cpp.
#include "core/rules.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "pg/datum.h"
#include "pg/function.h"
#include "pg/query.h"
#include "pg/relations.h"
#include "pg/trigger.h"
#include "tables/locks.h"
#include "tables/readers.h"
#include "tables/settings_row.h"

extern "C" {
#include "utils/acl.h"
}

namespace terra_identity {
namespace {

using namespace pg;
using namespace tables;

/// Apply an INSERT to the row that already has its key. A column that the INSERT leaves out is null here and keeps its
/// value. It never sets `signature_required` to false.
Query merge_environment = R"(
    UPDATE terra_identity.environment_settings s
    SET account_policy = coalesce($2, s.account_policy), signature_required = s.signature_required OR $3,
        signature_tolerance = CASE WHEN $8 AND $4 = interval '24 hours' THEN s.signature_tolerance ELSE $4 END,
        terra_dev_id = coalesce($5, s.terra_dev_id),
        on_duplicate = coalesce($6, s.on_duplicate), store_data = coalesce($7, s.store_data)
    WHERE s.dev_id = $1)";
Query merge_provider = R"(
    UPDATE terra_identity.provider_settings s
    SET sdk = coalesce($2, s.sdk), account_ids = coalesce($3, s.account_ids)
    WHERE s.provider = $1)";

/// A restored `terra_dev_id` takes precedence: an environment that has learned the same one from an earlier delivery
/// loses it.
Query free_terra_dev_id = R"(
    UPDATE terra_identity.environment_settings s SET terra_dev_id = NULL WHERE s.terra_dev_id = $2 AND s.dev_id <> $1)";

Query select_has_secrets = "SELECT FROM terra_identity.signing_secrets t WHERE t.dev_id = $1 LIMIT 1";

Query insert_environment = R"(
    INSERT INTO terra_identity.environment_settings
        (dev_id, account_policy, signature_required, signature_tolerance, terra_dev_id, on_duplicate, store_data)
    VALUES ($1, $2, $3, $4, $5, $6, $7))";
Query insert_provider = R"(
    INSERT INTO terra_identity.provider_settings (provider, sdk, account_ids) VALUES ($1, $2, $3))";

Query select_environment = "SELECT s.* FROM terra_identity.environment_settings s WHERE s.dev_id = $1";
Query select_provider = "SELECT s.* FROM terra_identity.provider_settings s WHERE s.provider = $1";

// An UPDATE sets only the columns that it changes, so that of two concurrent ones that change different columns both
// hold. ($1 and on: the row as the UPDATE saw it, then the new row.) A column that it does not change keeps the value
// that another session has committed meanwhile; `signature_required` then stays true if either value is true.
Query update_environment = R"(
    UPDATE terra_identity.environment_settings s
    SET dev_id = $8, account_policy = CASE WHEN $9 IS DISTINCT FROM $2 THEN $9 ELSE s.account_policy END,
        signature_required = CASE WHEN $10 IS DISTINCT FROM $3 THEN $10 ELSE s.signature_required OR $3 END,
        signature_tolerance = CASE WHEN $11 IS DISTINCT FROM $4 THEN $11 ELSE s.signature_tolerance END,
        terra_dev_id = CASE WHEN $12 IS DISTINCT FROM $5 THEN $12 ELSE s.terra_dev_id END,
        on_duplicate = CASE WHEN $13 IS DISTINCT FROM $6 THEN $13 ELSE s.on_duplicate END,
        store_data = CASE WHEN $14 IS DISTINCT FROM $7 THEN $14 ELSE s.store_data END
    WHERE s.dev_id = $1
    RETURNING *)";
Query update_provider = R"(
    UPDATE terra_identity.provider_settings s
    SET provider = $4, sdk = CASE WHEN $5 IS DISTINCT FROM $2 THEN $5 ELSE s.sdk END,
        account_ids = CASE WHEN $6 IS DISTINCT FROM $3 THEN $6 ELSE s.account_ids END
    WHERE s.provider = $1
    RETURNING *)";

Query delete_environment = "DELETE FROM terra_identity.environment_settings s WHERE s.dev_id = $1 RETURNING *";
Query delete_provider = "DELETE FROM terra_identity.provider_settings s WHERE s.provider = $1 RETURNING *";

bool is_built_in_environment(const std::string& dev_id) { return dev_id == "default"; }

bool is_built_in_provider(const std::string& provider) {
    return std::find(built_in_sdk_providers.begin(), built_in_sdk_providers.end(), provider) !=
           built_in_sdk_providers.end();
}

/// A table of settings, with the queries on it.
struct Settings {
    const char* table;
    int columns; ///< how many; the first is the key
    bool (*is_built_in)(const std::string& key);
    Query& merge;
    Query& insert;
    Query& select;
    Query& update;
    Query& remove;
};

const Settings environment_settings{"environment_settings", environment_store_data, is_built_in_environment,
                                    merge_environment,      insert_environment,     select_environment,
                                    update_environment,     delete_environment};
const Settings provider_settings{"provider_settings", provider_account_ids, is_built_in_provider, merge_provider,
                                 insert_provider,     select_provider,      update_provider,      delete_provider};

using Parameters = std::vector<Query::Parameter>;

void add_columns(Parameters& parameters, HeapTuple row, TupleDesc described, int columns) {
    for (int column = 1; column <= columns; ++column)
        parameters.push_back({TupleDescAttr(described, column - 1)->atttypid, attribute(row, described, column)});
}

/// Raises an error unless the user may edit the view. INSERT also needs the privilege UPDATE, because it may change an
/// existing row. A user to whom row-level security shows only some of the settings may edit none: the view shows and
/// changes them with the rights of its owner.
void require_right_to_edit(Relation view, const Table& table, bool inserts) {
    call([=] {
        if (inserts && pg_class_aclcheck(RelationGetRelid(view), GetUserId(), ACL_UPDATE) != ACLCHECK_OK)
            aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_VIEW, RelationGetRelationName(view));
    });
    if (caller_is_restricted(table))
        throw Error{"42501",
                    std::string("view terra_identity.") + RelationGetRelationName(view) +
                        " cannot be edited under row level security",
                    std::string("Table terra_identity.") + RelationGetRelationName(table.relation()) +
                        " has policies that hold for this role.",
                    "Edit it as a role that they do not hold for."};
}

/// The key of a row of settings; null if an INSERT left it out.
std::optional<std::string> key_of(HeapTuple row, TupleDesc described) {
    const NullableValue key = attribute(row, described, 1);
    return key.is_null ? std::nullopt : std::optional(string_of(key.value));
}

/// INSTEAD OF INSERT OR UPDATE OR DELETE FOR EACH ROW on a view: edits the table behind it. Privileges on the view
/// decide who may edit. One session edits at a time. @return the resulting row
HeapTuple edit(TriggerData* trigger, const Settings& settings) {
    const TupleDesc described = RelationGetDescr(trigger->tg_relation);
    const std::string key_name = NameStr(TupleDescAttr(described, 0)->attname);
    const std::optional<std::string> given = key_of(trigger->tg_trigtuple, described);
    if (!given)
        throw Error{"23502", key_name + " must not be null"};
    const std::string& key = *given;
    const bool inserts = TRIGGER_FIRED_BY_INSERT(trigger->tg_event);
    if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) && settings.is_built_in(key) &&
        key_of(trigger->tg_newtuple, described) != key)
        throw Error{"0A000", key_name + " \"" + key + "\" is built in and cannot be renamed", "",
                    "INSERT the other one."};
    lock_settings();
    Table table(settings.table, RowExclusiveLock);
    require_right_to_edit(trigger->tg_relation, table, inserts);
    const PartialSettings partial;
    const MemoryContext caller = CurrentMemoryContext;
    HeapTuple result = nullptr;
    as_definer(table.owner(), [&] {
        const auto run = [&](Query& query, const Parameters& parameters) {
            const SPITupleTable* const rows = query.run(parameters);
            if (Query::rows() > 0)
                result = call([=] {
                    const MemoryContext spi = MemoryContextSwitchTo(caller);
                    const HeapTuple copy = heap_copytuple(rows->vals[0]);
                    MemoryContextSwitchTo(spi);
                    return copy;
                });
        };
        Parameters row;
        add_columns(row, trigger->tg_trigtuple, described, settings.columns);
        if (inserts) {
            settings.insert.run(row);
            run(settings.select, {text_parameter(key)});
        } else if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event)) {
            run(settings.remove, {text_parameter(key)});
        } else {
            // A built-in environment or provider may have no row yet that an UPDATE could change.
            if (settings.select.run({text_parameter(key)}); Query::rows() == 0 && settings.is_built_in(key))
                settings.insert.run(row);
            add_columns(row, trigger->tg_newtuple, described, settings.columns);
            run(settings.update, row);
        }
    });
    table.close();
    return result;
}

struct Value {
    AttrNumber column;
    Datum value;
};

HeapTuple with_value(HeapTuple row, TupleDesc columns, const Value& given) {
    return call([=, column = static_cast<int>(given.column), value = given.value]() mutable {
        bool is_null = false;
        return heap_modify_tuple_by_cols(row, columns, 1, &column, &value, &is_null);
    });
}

/// Sets these columns to their defaults where they are null.
HeapTuple with_defaults(HeapTuple row, TupleDesc columns, std::initializer_list<Value> defaults) {
    for (const Value& left_out : defaults)
        if (attribute(row, columns, left_out.column).is_null)
            row = with_value(row, columns, left_out);
    return row;
}

/// Whether an INSERT into a table of settings may change an existing row: the extension's own may, and that of a user
/// who may update the table, for a restore.
bool may_merge(const char* table) {
    if (PartialSettings::exist())
        return true;
    Table settings(table, AccessShareLock);
    const bool may = call([oid = RelationGetRelid(settings.relation())] {
                         return pg_class_aclcheck(oid, GetUserId(), ACL_UPDATE) == ACLCHECK_OK;
                     }) &&
                     !caller_is_restricted(settings);
    settings.close();
    return may;
}

/// BEFORE INSERT FOR EACH ROW on a table of settings: if there is a row with this key, changes that row, so that
/// settings can be restored into a database that already has some. @return null if it did
HeapTuple merge(TriggerData* trigger, const Settings& settings) {
    if (!may_merge(settings.table))
        return trigger->tg_trigtuple;
    bool is_merged = false;
    as_definer(trigger->tg_relation->rd_rel->relowner, [&] {
        Parameters row;
        add_columns(row, trigger->tg_trigtuple, RelationGetDescr(trigger->tg_relation), settings.columns);
        if (&settings == &environment_settings) {
            if (!PartialSettings::exist() && !row[environment_terra_dev_id - 1].value.is_null)
                free_terra_dev_id.run({row[0], row[environment_terra_dev_id - 1]});
            row.push_back({BOOLOID, BoolGetDatum(PartialSettings::exist())});
        }
        settings.merge.run(row);
        is_merged = Query::rows() > 0;
    });
    return is_merged ? nullptr : trigger->tg_trigtuple;
}

} // namespace

PG_FUNCTION(terra_identity_edit_environment) {
    TriggerData* const trigger = trigger_data(fcinfo, "environments", TRIGGER_EVENT_ROW | TRIGGER_EVENT_INSTEAD,
                                              any_operation, "INSTEAD OF FOR EACH ROW");
    return PointerGetDatum(edit(trigger, environment_settings));
}

PG_FUNCTION(terra_identity_edit_provider) {
    TriggerData* const trigger = trigger_data(fcinfo, "providers", TRIGGER_EVENT_ROW | TRIGGER_EVENT_INSTEAD,
                                              any_operation, "INSTEAD OF FOR EACH ROW");
    return PointerGetDatum(edit(trigger, provider_settings));
}

PG_FUNCTION(terra_identity_built_in_sdk_providers) {
    return text_array_of({built_in_sdk_providers.begin(), built_in_sdk_providers.end()});
}

PG_FUNCTION(terra_identity_merge_environment) {
    TriggerData* const trigger = trigger_data(fcinfo, "environment_settings", TRIGGER_EVENT_ROW | TRIGGER_EVENT_BEFORE,
                                              TRIGGER_EVENT_INSERT, "BEFORE INSERT FOR EACH ROW");
    const TupleDesc columns = RelationGetDescr(trigger->tg_relation);
    const std::optional<std::string> dev_id = key_of(trigger->tg_trigtuple, columns);
    if (!dev_id)
        return PointerGetDatum(trigger->tg_trigtuple); // dev_id is NOT NULL, which raises the error
    trigger->tg_trigtuple =
        with_defaults(trigger->tg_trigtuple, columns, {{environment_signature_required, BoolGetDatum(false)}});
    const HeapTuple row = merge(trigger, environment_settings);
    if (row == nullptr)
        return Datum{0};
    // INSERT never relaxes the signature rules: if the environment has secrets, a row that was deleted and is inserted
    // again requires signatures.
    bool required = DatumGetBool(attribute(row, columns, environment_signature_required).value);
    as_owner(trigger->tg_relation->rd_rel->relowner, [&] {
        select_has_secrets.run({text_parameter(*dev_id)});
        required = required || Query::rows() > 0;
    });
    const HeapTuple whole = with_defaults(row, columns,
                                          {{environment_account_policy, text_of("keep")},
                                           {environment_on_duplicate, text_of(to_string(OnDuplicate::report))},
                                           {environment_store_data, BoolGetDatum(true)}});
    return PointerGetDatum(with_value(whole, columns, {environment_signature_required, BoolGetDatum(required)}));
}

PG_FUNCTION(terra_identity_merge_provider) {
    TriggerData* const trigger = trigger_data(fcinfo, "provider_settings", TRIGGER_EVENT_ROW | TRIGGER_EVENT_BEFORE,
                                              TRIGGER_EVENT_INSERT, "BEFORE INSERT FOR EACH ROW");
    const TupleDesc columns = RelationGetDescr(trigger->tg_relation);
    const std::optional<std::string> provider = key_of(trigger->tg_trigtuple, columns);
    if (!provider)
        return PointerGetDatum(trigger->tg_trigtuple);
    const HeapTuple row = merge(trigger, provider_settings);
    if (row == nullptr)
        return Datum{0};
    const bool sdk = is_built_in_provider(*provider);
    return PointerGetDatum(
        with_defaults(row, columns, {{provider_sdk, BoolGetDatum(sdk)}, {provider_account_ids, text_of("unique")}}));
}

} // namespace terra_identity
