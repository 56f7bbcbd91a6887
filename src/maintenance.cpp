// rebuild and verify.
#include "tables/environment.h"
#include "tables/locks.h"
#include "pg/function.h"
#include "rebuild.h"

#include <array>

namespace terra_identity {

using namespace pg;
using namespace tables;

PG_FUNCTION(terra_identity_rebuild) {
    begin_batch_if_called_again(fcinfo);
    return Int64GetDatum(rebuild(dev_id_or_setting(argument(fcinfo, 0))));
}

PG_FUNCTION(terra_identity_verify) {
    call([fcinfo] { InitMaterializedSRF(fcinfo, 0); });
    auto* const result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    for (const Difference& difference : verify(dev_id_or_setting(argument(fcinfo, 0)))) {
        const std::array<NullableValue, 4> columns{NullableValue(text_of(difference.user_id)),
                                                   NullableValue(text_of(difference.column)),
                                                   NullableValue(difference.stored), NullableValue(difference.derived)};
        std::array<Datum, 4> values{};
        std::array<bool, 4> nulls{};
        for (std::size_t i = 0; i < columns.size(); ++i) {
            values[i] = columns[i].value;
            nulls[i] = columns[i].is_null;
        }
        call([&] { tuplestore_putvalues(result->setResult, result->setDesc, values.data(), nulls.data()); });
    }
    return Datum{0};
}

} // namespace terra_identity
