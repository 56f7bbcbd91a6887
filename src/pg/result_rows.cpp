#include "pg/result_rows.h"

namespace terra_identity::pg {

ResultRows::ResultRows(FunctionCallInfo fcinfo) {
    call([fcinfo] { InitMaterializedSRF(fcinfo, 0); });
    result_ = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
}

void ResultRows::add_row(std::span<const NullableValue> row) {
    call([this, row] {
        const std::size_t count = row.size();
        if (count != static_cast<std::size_t>(result_->setDesc->natts))
            elog(ERROR, "a row of %zu columns in a result of %d", count, result_->setDesc->natts);
        auto* const values = static_cast<Datum*>(palloc(count * sizeof(Datum)));
        auto* const nulls = static_cast<bool*>(palloc(count * sizeof(bool)));
        for (std::size_t i = 0; i < count; ++i) {
            values[i] = row[i].value;
            nulls[i] = row[i].is_null;
        }
        tuplestore_putvalues(result_->setResult, result_->setDesc, values, nulls);
        pfree(values);
        pfree(nulls);
    });
}

} // namespace terra_identity::pg
