// The rows that a set-returning function returns.
#pragma once

#include <initializer_list>

#include "pg/datum.h"

namespace terra_identity::pg {

class ResultRows {
public:
    /// For a function that `fcinfo` calls, which returns Datum{0}. Raises an error if its caller takes no set.
    explicit ResultRows(FunctionCallInfo fcinfo);

    /// Adds a row; as many values as the function's result has columns.
    void add(std::initializer_list<NullableValue> row);

private:
    ReturnSetInfo* result_;
};

} // namespace terra_identity::pg
