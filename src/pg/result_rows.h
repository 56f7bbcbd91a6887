// The rows that a function returns.
#pragma once

#include <initializer_list>
#include <span>

#include "pg/datum.h"

namespace terra_identity::pg {

class ResultRows {
public:
    /// For a function that `fcinfo` calls, which returns Datum{0}. Raises an error if its caller takes no set.
    explicit ResultRows(FunctionCallInfo fcinfo);

    /// Adds a row; as many values as the function's result has columns.
    void add(std::initializer_list<NullableValue> row) { add_row({row.begin(), row.size()}); }
    void add_row(std::span<const NullableValue> row);

private:
    ReturnSetInfo* result_;
};

/// The result of a function that returns one row. As many values as it has columns.
Datum result_row(FunctionCallInfo fcinfo, std::initializer_list<NullableValue> row);

} // namespace terra_identity::pg
