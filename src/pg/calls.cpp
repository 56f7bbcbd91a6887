#include "pg/calls.h"

#include "pg/versions.h"

extern "C" {
#include "catalog/pg_am.h"
#include "nodes/plannodes.h"
#include "tcop/pquery.h"
}

namespace terra_identity::pg {
namespace raising {
namespace {

/// A function, and how often a plan names it.
struct Calls {
    Oid function;
    int count;
};

bool count_calls(Node* node, void* context) {
    if (node == nullptr)
        return false;
    auto* const calls = static_cast<Calls*>(context);
    if (IsA(node, FuncExpr) && reinterpret_cast<const FuncExpr*>(node)->funcid == calls->function)
        ++calls->count;
    return walk_expressions(node, count_calls, context);
}

/// Whether every function of a FROM item returns one row.
bool has_one_row(const FunctionScan* scan, Calls* calls) {
    ListCell* cell;
    foreach (cell, scan->functions) {
        Node* const call = reinterpret_cast<const RangeTblFunction*>(lfirst(cell))->funcexpr;
        if (!IsA(call, FuncExpr) || reinterpret_cast<const FuncExpr*>(call)->funcretset)
            return false;
        count_calls(call, calls);
    }
    return true;
}

/// Whether conditions on an index ask for one value of each of its columns, and it is unique.
bool has_one_row(Oid index_oid, const List* conditions) {
    const Relation index = index_open(index_oid, AccessShareLock);
    int columns = 0;
    if (index->rd_index->indisunique && index->rd_rel->relam == BTREE_AM_OID)
        for (AttrNumber column = 1; column <= index->rd_index->indnkeyatts; ++column) {
            ListCell* cell;
            foreach (cell, conditions) {
                const auto* const condition = static_cast<const Expr*>(lfirst(cell));
                if (!IsA(condition, OpExpr))
                    continue;
                const auto* const comparison = reinterpret_cast<const OpExpr*>(condition);
                const Node* const left = static_cast<const Node*>(linitial(comparison->args));
                if (IsA(left, Var) && reinterpret_cast<const Var*>(left)->varattno == column &&
                    get_op_opfamily_strategy(comparison->opno, index->rd_opfamily[column - 1]) ==
                        BTEqualStrategyNumber) {
                    ++columns;
                    break;
                }
            }
        }
    const bool result = columns > 0 && columns == index->rd_index->indnkeyatts;
    index_close(index, AccessShareLock);
    return result;
}

bool has_one_row(const Plan* plan, Calls* calls) {
    check_stack_depth();
    if (plan == nullptr)
        return true;
    count_calls(reinterpret_cast<Node*>(plan->targetlist), calls);
    count_calls(reinterpret_cast<Node*>(plan->qual), calls);
    switch (nodeTag(plan)) {
    case T_FunctionScan:
        return has_one_row(reinterpret_cast<const FunctionScan*>(plan), calls);
    case T_IndexScan: {
        const auto* const scan = reinterpret_cast<const ::IndexScan*>(plan);
        return has_one_row(scan->indexid, scan->indexqual);
    }
    case T_IndexOnlyScan: {
        const auto* const scan = reinterpret_cast<const IndexOnlyScan*>(plan);
        return has_one_row(scan->indexid, scan->indexqual);
    }
    case T_ValuesScan:
        return list_length(reinterpret_cast<const ValuesScan*>(plan)->values_lists) == 1;
    case T_SubqueryScan:
        return has_one_row(reinterpret_cast<const SubqueryScan*>(plan)->subplan, calls);
    case T_Result:
    case T_NestLoop:
    case T_CteScan: // whose query is a subplan of the statement
    case T_Agg:
    case T_Limit:
    case T_LockRows:
    case T_Sort:
    case T_Material:
    case T_Unique:
    case T_ModifyTable:
        return has_one_row(plan->lefttree, calls) && has_one_row(plan->righttree, calls);
    default:
        return false;
    }
}

/// Statements that run a query of their own, which is not to be seen here, or that insert many rows.
bool runs_often(const PlannedStmt* statement) {
    const Node* const utility = statement->utilityStmt;
    return utility != nullptr &&
           (IsA(utility, CreateTableAsStmt) ||
            (IsA(utility, CopyStmt) && (reinterpret_cast<const CopyStmt*>(utility)->query != nullptr ||
                                        reinterpret_cast<const CopyStmt*>(utility)->is_from)) ||
            IsA(utility, ExplainStmt) || IsA(utility, RefreshMatViewStmt));
}

bool may_be_called_again(const PlannedStmt* statement, Oid function) {
    Calls calls{function, 0};
    ListCell* cell;
    foreach (cell, statement->subplans)
        if (!has_one_row(static_cast<const Plan*>(lfirst(cell)), &calls))
            return true;
    return runs_often(statement) || !has_one_row(statement->planTree, &calls) || calls.count > 1;
}

} // namespace
} // namespace raising

bool may_be_called_again(Oid function) {
    return call([function] {
        ListCell* cell;
        if (ActivePortal != nullptr)
            foreach (cell, ActivePortal->stmts)
                if (raising::may_be_called_again(static_cast<const PlannedStmt*>(lfirst(cell)), function))
                    return true;
        return false;
    });
}

} // namespace terra_identity::pg
