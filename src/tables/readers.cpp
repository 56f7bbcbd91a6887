#include "tables/readers.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "pg/datum.h"
#include "pg/extension.h"
#include "tables/event_row.h"
#include "tables/rule_memory.h"

extern "C" {
#include "access/xlog.h"
#include "nodes/primnodes.h"
#include "rewrite/rowsecurity.h"
#include "utils/acl.h"
#include "utils/rls.h"
}

namespace terra_identity::tables {

using namespace pg;

namespace {

// The columns of `readers`.
constexpr int dev_id_column = 1;
constexpr int role_id_column = 2;
constexpr int system_identifier_column = 3;
constexpr int role_column = 4;

Remembered<ReadableEnvironments> remembered;

/// The role that a row is of; InvalidOid if there is none. A row that was made in this cluster is of the role with that
/// number, while it has that name: a copy of the cluster's files may have given the number to another role. A row that
/// came from another cluster, by a dump or by replication, is of the role that has that name here.
Oid role_of(HeapTuple row, TupleDesc columns) {
    const auto value = [&](int column) { return attribute(row, columns, column).value; };
    const std::string name = string_of(value(role_column));
    const Oid named = call([text = name.c_str()] { return get_role_oid(text, true); });
    const bool is_of_here =
        static_cast<std::uint64_t>(DatumGetInt64(value(system_identifier_column))) == GetSystemIdentifier();
    return is_of_here && DatumGetObjectId(value(role_id_column)) != named ? InvalidOid : named;
}

ReadableEnvironments read_environments_of(const Table& readers, Oid role) {
    ReadableEnvironments found;
    for (const HeapTuple row : readers.all(Reads::committed)) {
        const Oid reader = role_of(row, readers.columns());
        if (!OidIsValid(reader) || !call([=] { return has_privs_of_role(role, reader); }))
            continue;
        std::string dev_id = string_of(attribute(row, readers.columns(), dev_id_column).value);
        if (dev_id.empty())
            found.all = true;
        else
            found.dev_ids.push_back(std::move(dev_id));
    }
    std::sort(found.dev_ids.begin(), found.dev_ids.end());
    found.dev_ids.erase(std::unique(found.dev_ids.begin(), found.dev_ids.end()), found.dev_ids.end());
    return found;
}

namespace raising {

/// Whether it is a policy of the extension: USING _may_read.
bool asks_may_read(const RowSecurityPolicy& policy) {
    static Oid may_read =
        InvalidOid; // of an extension that was dropped, its number will not soon be another function's
    if (policy.qual == nullptr || !IsA(policy.qual, FuncExpr))
        return false;
    const Oid function = static_cast<const FuncExpr*>(static_cast<const void*>(policy.qual))->funcid;
    if (function != may_read && get_func_namespace(function) == get_namespace_oid(schema, false) &&
        std::string_view(get_func_name(function)) == "_may_read")
        may_read = function;
    return function == may_read;
}

/// Whether a policy is the one that shows readers their environments: FOR SELECT, for everybody.
bool is_of_readers(const RowSecurityPolicy& policy) {
    const auto* const roles = static_cast<const Oid*>(static_cast<const void*>(ARR_DATA_PTR(policy.roles)));
    return policy.polcmd == ACL_SELECT_CHR && policy.permissive && roles[0] == ACL_ID_PUBLIC && asks_may_read(policy);
}

/// Whether the policies show the caller every row of the environments that readers may read. Permissive ones of the
/// owner's only add rows. (Row security that is off makes queries fail, which is for the query to tell.)
bool readers_policy_decides(Relation table) {
    if (!::row_security || row_security_policy_hook_restrictive != nullptr || table->rd_rsdesc == nullptr)
        return false;
    bool is_there = false;
    const List* const policies = table->rd_rsdesc->policies;
    for (int i = 0; i < list_length(policies); ++i) {
        const auto& policy = *static_cast<const RowSecurityPolicy*>(list_nth(policies, i));
        if (!policy.permissive)
            return false;
        is_there = is_there || is_of_readers(policy);
    }
    return is_there;
}

/// Whether the owner made a permissive policy, which shows rows by itself.
bool has_permissive_policy_of_owner(Relation table) {
    const List* const policies = table->rd_rsdesc == nullptr ? NIL : table->rd_rsdesc->policies;
    for (int i = 0; i < list_length(policies); ++i) {
        const auto& policy = *static_cast<const RowSecurityPolicy*>(list_nth(policies, i));
        if (policy.permissive && policy.polcmd != ACL_INSERT_CHR && !asks_may_read(policy))
            return true;
    }
    return false;
}

} // namespace raising

enum class RowSecurity { none, of_readers, of_others };

RowSecurity row_security_of(const Table& table) {
    return call([relation = table.relation()] {
        if (check_enable_rls(RelationGetRelid(relation), InvalidOid, true) != RLS_ENABLED)
            return RowSecurity::none;
        return raising::readers_policy_decides(relation) ? RowSecurity::of_readers : RowSecurity::of_others;
    });
}

/// Whether row security shows the caller every row of an environment.
bool shows(const Table& table, const std::string& dev_id) {
    switch (row_security_of(table)) {
    case RowSecurity::none:
        return true;
    case RowSecurity::of_readers:
        return environments_readable_by(call([] { return GetUserId(); })).include(dev_id);
    case RowSecurity::of_others:
        break;
    }
    return false;
}

} // namespace

bool ReadableEnvironments::include(std::string_view dev_id) const {
    return all || std::binary_search(dev_ids.begin(), dev_ids.end(), dev_id, std::less<>());
}

ReadableEnvironments environments_readable_by(Oid role) {
    const std::string name = std::to_string(role);
    if (const ReadableEnvironments* const found = remembered.find(name))
        return *found;
    const RuleReading reading;
    Table readers("readers", AccessShareLock);
    ReadableEnvironments found = read_environments_of(readers, role);
    readers.close();
    remembered.remember(reading, name, found);
    return found;
}

bool has_permissive_policy_of_owner(Oid table) {
    return call([table] {
        const Relation opened = table_open(table, AccessShareLock);
        const bool has = raising::has_permissive_policy_of_owner(opened);
        table_close(opened, NoLock);
        return has;
    });
}

bool caller_reads(const Table& table, const std::string& dev_id) {
    return call([oid = RelationGetRelid(table.relation())] {
               return pg_class_aclcheck(oid, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
           }) &&
           shows(table, dev_id);
}

bool caller_reads_all_but_payloads(const Table& events, const std::string& dev_id) {
    return call([relation = events.relation()] {
               const Oid oid = RelationGetRelid(relation), role = GetUserId();
               if (pg_attribute_aclcheck(oid, event_payload, role, ACL_SELECT) == ACLCHECK_OK)
                   return false;
               for (AttrNumber column = 1; column <= event_columns; ++column)
                   if (column != event_payload && column != event_headers &&
                       pg_attribute_aclcheck(oid, column, role, ACL_SELECT) != ACLCHECK_OK)
                       return false;
               return true;
           }) &&
           shows(events, dev_id);
}

bool shows_environment(const std::string& dev_id) {
    Table environments("environment_settings", AccessShareLock);
    const bool shown = shows(environments, dev_id);
    environments.close();
    return shown;
}

bool readers_policy_hides(const Table& table, const std::string& dev_id) {
    return row_security_of(table) == RowSecurity::of_readers &&
           !environments_readable_by(call([] { return GetUserId(); })).include(dev_id);
}

bool caller_is_restricted(const Table& table) {
    switch (row_security_of(table)) {
    case RowSecurity::none:
        return false;
    case RowSecurity::of_readers: {
        const ReadableEnvironments readable = environments_readable_by(call([] { return GetUserId(); }));
        return !readable.all && !readable.none();
    }
    case RowSecurity::of_others:
        break;
    }
    return true;
}

} // namespace terra_identity::tables
