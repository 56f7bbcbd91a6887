// rebuild and verify.
#include "tables/environment.h"
#include "tables/locks.h"
#include "rebuild.h"

#include <array>

namespace terra_identity {
namespace {

using namespace pg;
using namespace tables;

void return_differences(FunctionCallInfo fcinfo) {
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
}

} // namespace
} // namespace terra_identity

namespace ti = terra_identity;

extern "C" {

PG_FUNCTION_INFO_V1(terra_identity_rebuild);
PG_FUNCTION_INFO_V1(terra_identity_verify);

PGDLLEXPORT Datum terra_identity_rebuild(PG_FUNCTION_ARGS) {
    return ti::pg::entry([fcinfo] {
        ti::tables::begin_batch_if_called_again(fcinfo);
        return Int64GetDatum(ti::rebuild(ti::tables::dev_id_or_setting(ti::pg::argument(fcinfo, 0))));
    });
}

PGDLLEXPORT Datum terra_identity_verify(PG_FUNCTION_ARGS) {
    return ti::pg::entry([fcinfo] {
        ti::return_differences(fcinfo);
        return Datum{0};
    });
}

} // extern "C"
