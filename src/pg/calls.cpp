#include "pg/calls.h"

#include "pg/guard.h"

extern "C" {
#include "nodes/plannodes.h"
#include "tcop/pquery.h"
}

namespace terra_identity::pg {
namespace {

// All of this runs within `call`.

/// Whether every function of a FROM item returns one row.
bool has_one_row(const FunctionScan* scan) {
    ListCell* cell;
    foreach (cell, scan->functions) {
        const auto* const function = reinterpret_cast<const RangeTblFunction*>(lfirst(cell));
        if (!IsA(function->funcexpr, FuncExpr) || reinterpret_cast<const FuncExpr*>(function->funcexpr)->funcretset)
            return false;
    }
    return true;
}

bool has_one_row(const Plan* plan) {
    check_stack_depth();
    if (plan == nullptr)
        return true;
    switch (nodeTag(plan)) {
    case T_FunctionScan:
        return has_one_row(reinterpret_cast<const FunctionScan*>(plan));
    case T_ValuesScan:
        return list_length(reinterpret_cast<const ValuesScan*>(plan)->values_lists) == 1;
    case T_SubqueryScan:
        return has_one_row(reinterpret_cast<const SubqueryScan*>(plan)->subplan);
    case T_Result:
    case T_NestLoop:
    case T_CteScan: // whose query is a subplan of the statement
    case T_Agg:
    case T_Limit:
    case T_Sort:
    case T_Material:
    case T_Unique:
    case T_ModifyTable:
        return has_one_row(plan->lefttree) && has_one_row(plan->righttree);
    default:
        return false;
    }
}

bool has_one_row(const PlannedStmt* statement) {
    ListCell* cell;
    foreach (cell, statement->subplans)
        if (!has_one_row(static_cast<const Plan*>(lfirst(cell))))
            return false;
    return has_one_row(statement->planTree);
}

} // namespace

bool is_called_for_rows() {
    return call([] {
        ListCell* cell;
        if (ActivePortal != nullptr)
            foreach (cell, ActivePortal->stmts)
                if (!has_one_row(static_cast<const PlannedStmt*>(lfirst(cell))))
                    return true;
        return false;
    });
}

} // namespace terra_identity::pg
