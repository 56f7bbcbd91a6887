#include "pg/result_rows.h"

namespace terra_identity::pg {

namespace raising {
namespace {

struct Columns {
    Datum* values;
    bool* nulls;
};

/// The columns of a row, as the server wants them, in the current memory context.
Columns columns_of(std::span<const NullableValue> row, TupleDesc result) {
    if (row.size() != static_cast<std::size_t>(result->natts))
        elog(ERROR, "a row of %zu columns in a result of %d", row.size(), result->natts);
    const Columns columns{static_cast<Datum*>(palloc(row.size() * sizeof(Datum))),
                          static_cast<bool*>(palloc(row.size() * sizeof(bool)))};
    for (std::size_t i = 0; i < row.size(); ++i) {
        columns.values[i] = row[i].value;
        columns.nulls[i] = row[i].is_null;
    }
    return columns;
}

} // namespace
} // namespace raising

ResultRows::ResultRows(FunctionCallInfo fcinfo) {
    call([fcinfo] { InitMaterializedSRF(fcinfo, 0); });
    result_ = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
}

void ResultRows::add_row(std::span<const NullableValue> row) {
    call([this, row] {
        const raising::Columns columns = raising::columns_of(row, result_->setDesc);
        tuplestore_putvalues(result_->setResult, result_->setDesc, columns.values, columns.nulls);
        pfree(columns.values);
        pfree(columns.nulls);
    });
}

Datum result_row(FunctionCallInfo fcinfo, std::initializer_list<NullableValue> row) {
    return call([&] {
        TupleDesc result = nullptr;
        if (get_call_result_type(fcinfo, nullptr, &result) != TYPEFUNC_COMPOSITE)
            elog(ERROR, "the function returns no row");
        const raising::Columns columns = raising::columns_of({row.begin(), row.size()}, result);
        return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(result), columns.values, columns.nulls));
    });
}

} // namespace terra_identity::pg
