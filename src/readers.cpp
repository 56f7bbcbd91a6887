// The policies of the tables: which rows a reader sees.
//
// The policies call `_may_read` and `_may_insert`, which never run: while a query is planned, their support functions
// put in their place what is true for the role whose privileges the query needs, which is the caller, or the owner of a
// view. Nothing for a reader of every environment, whose queries then cost what they would without row level security,
// and may use any index; `dev_id = 'its environment'` for a reader of one. A plan is of one role only, as PostgreSQL
// sees to, and is made anew when `readers` changes, or who is a member of which role. A role that is no reader gets an
// error, unless the owner made policies of his own. So does everybody where the planner did not ask, because nobody may
// execute the functions.
#include "readers.h"

#include <string>

#include "pg/datum.h"
#include "pg/function.h"
#include "pg/relations.h"
#include "pg/trigger.h"
#include "pg/versions.h"
#include "tables/readers.h"
#include "tables/rule_memory.h"

extern "C" {
#include "catalog/pg_operator_d.h"
#include "nodes/makefuncs.h"
#include "nodes/pathnodes.h"
#include "nodes/supportnodes.h"
#include "utils/acl.h"
#include "utils/inval.h"
#include "utils/plancache.h"
#include "utils/syscache.h"
}

namespace terra_identity {
namespace {

using namespace pg;
using namespace tables;

/// What a policy asks, while a query is planned.
struct PolicyQuestion {
    ::Node* dev_id = nullptr; ///< the table's column; null if it is nothing that can be answered
    Oid collation = InvalidOid;
    Oid role = InvalidOid; ///< whose privileges the query needs
    Oid table = InvalidOid;
};

template <class To>
To* as(void* node) {
    return static_cast<To*>(node);
}

PolicyQuestion question_of(Datum request) {
    auto* const simplify = as<SupportRequestSimplify>(DatumGetPointer(request));
    if (!IsA(simplify, SupportRequestSimplify) || simplify->root == nullptr || simplify->root->parse == nullptr)
        return {};
    const auto* const column = as<Var>(linitial(simplify->fcall->args));
    if (!IsA(column, Var) || column->varlevelsup != 0)
        return {};
    const ::Query& query = *simplify->root->parse;
    const auto relation = static_cast<Index>(column->varno);
    const RangeTblEntry* const entry = rt_fetch(relation, query.rtable);
    if (entry->rtekind != RTE_RELATION)
        return {};
    const Oid role = role_to_check(query, relation);
    return {as<::Node>(linitial(simplify->fcall->args)), simplify->fcall->inputcollid,
            OidIsValid(role) ? role : GetUserId(), entry->relid};
}

/// dev_id = 'one environment', or ANY of several: a condition that an index serves and that hides rows from functions
/// of the caller's until it has been checked.
::Node* is_among(const PolicyQuestion& question, const std::vector<std::string>& dev_ids) {
    if (dev_ids.size() == 1)
        return call([&question, dev_id = text_of(dev_ids.front())] {
            Const* const value = makeConst(TEXTOID, -1, question.collation, -1, dev_id, false, false);
            return as<::Node>(make_opclause(TextEqualOperator, BOOLOID, false, as<Expr>(question.dev_id),
                                            as<Expr>(value), InvalidOid, question.collation));
        });
    return call([&question, array = text_array_of(dev_ids)] {
        auto* const any = makeNode(ScalarArrayOpExpr);
        any->opno = TextEqualOperator;
        any->opfuncid = F_TEXTEQ;
        any->useOr = true;
        any->inputcollid = question.collation;
        any->args =
            list_make2(question.dev_id, makeConst(TEXTARRAYOID, -1, question.collation, -1, array, false, false));
        any->location = -1;
        return as<::Node>(any);
    });
}

::Node* constant(bool value) {
    return call([value] { return makeBoolConst(value, false); });
}

/// Whether a role has a privilege that the policy is for. Who has none gets PostgreSQL's own error.
bool has_privilege(Oid role, Oid table) {
    return call([=] {
        return pg_class_aclmask(table, role, ACL_SELECT | ACL_UPDATE | ACL_DELETE, ACLMASK_ANY) != 0 ||
               pg_attribute_aclcheck_all(table, role, ACL_SELECT | ACL_UPDATE, ACLMASK_ANY) == ACLCHECK_OK;
    });
}

[[noreturn]] void refuse(const PolicyQuestion& question) {
    const std::string role = call([&question] { return GetUserNameFromId(question.role, false); });
    const std::string table = call([&question] { return get_rel_name(question.table); });
    const std::string literal = string_of(
        call([text = role.c_str()] { return DirectFunctionCall1(quote_literal, CStringGetTextDatum(text)); }));
    throw Error{"42501", "role \"" + role + "\" may read no environment of terra_identity",
                "It has privileges on table terra_identity." + table +
                    ", but no row of terra_identity.readers is for it, or for a role that it is a member of.",
                "SELECT terra_identity.grant_reader(" + literal + ", 'the environment that it may read');"};
}

Datum answer(::Node* node) { return PointerGetDatum(node); }

/// Syscache callback: who is a member of a role, or its name, has changed, on which plans and what is remembered of
/// readers depend.
void forget_roles(Datum, CatalogCache, uint32) {
    forget_rules(InvalidOid);
    ResetPlanCache();
}

} // namespace

void register_readers() {
    CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, forget_roles, Datum{0});
    CacheRegisterSyscacheCallback(AUTHOID, forget_roles, Datum{0});
}

/// _may_read and _may_insert: see above.
PG_FUNCTION(terra_identity_asked_by_policies) {
    throw Error{"42501", "the policies of terra_identity are no functions to call"};
}

PG_FUNCTION(terra_identity_plan_may_read) {
    const PolicyQuestion question = question_of(PG_GETARG_DATUM(0));
    if (question.dev_id == nullptr)
        return answer(nullptr);
    const ReadableEnvironments readable = environments_readable_by(question.role);
    if (readable.all)
        return answer(constant(true));
    if (!readable.none())
        return answer(is_among(question, readable.dev_ids));
    if (!has_privilege(question.role, question.table) || has_permissive_policy_of_owner(question.table))
        return answer(constant(false));
    refuse(question);
}

/// Who reads some environments only inserts into these only; for all others privileges decide.
PG_FUNCTION(terra_identity_plan_may_insert) {
    const PolicyQuestion question = question_of(PG_GETARG_DATUM(0));
    if (question.dev_id == nullptr)
        return answer(nullptr);
    const ReadableEnvironments readable = environments_readable_by(question.role);
    return answer(readable.all || readable.none() ? constant(true) : is_among(question, readable.dev_ids));
}

PG_FUNCTION(terra_identity_shows_environment) { return BoolGetDatum(shows_environment(string_of(PG_GETARG_DATUM(0)))); }

/// Every plan depends on who is a reader, whatever tables it reads.
PG_FUNCTION(terra_identity_forget_readers_everywhere) {
    trigger_data(fcinfo, "readers", TRIGGER_EVENT_ROW | TRIGGER_EVENT_AFTER, any_operation, "AFTER FOR EACH ROW");
    forget_rules_everywhere();
    call([] { CacheInvalidateRelcacheAll(); });
    return Datum{0};
}

} // namespace terra_identity
