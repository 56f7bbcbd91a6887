// What the view `contradictions` asks of a payload: so that it can be read without the privilege on payloads.
#include <string>

#include "pg/datum.h"
#include "pg/function.h"
#include "pg/query.h"
#include "pg/relations.h"
#include "tables/readers.h"

namespace terra_identity {
namespace {

using namespace pg;
using namespace tables;

Query select_is_of_nobody = R"(
    SELECT pg_catalog.btrim(e.payload OPERATOR(pg_catalog.#>>) '{old_user,user_id}', E' \t\n\r\v\f') IS NULL
        OR pg_catalog.btrim(e.payload OPERATOR(pg_catalog.#>>) '{old_user,user_id}', E' \t\n\r\v\f')
               OPERATOR(pg_catalog.=) ANY (ARRAY['', $3])
    FROM terra_identity.events e
    WHERE e.dev_id OPERATOR(pg_catalog.=) $1 AND e.event_id OPERATOR(pg_catalog.=) $2
      AND e.event_type OPERATOR(pg_catalog.=) 'user_reauth')";

} // namespace

PG_FUNCTION(terra_identity_reauth_of_nobody) {
    const std::string dev_id = string_of(PG_GETARG_DATUM(0)), user_id = string_of(PG_GETARG_DATUM(2));
    const std::int64_t event_id = PG_GETARG_INT64(1);
    Table events("events", AccessShareLock);
    bool result = false;
    const auto ask = [&] {
        const SPITupleTable* const found = select_is_of_nobody.run(
            {text_parameter(dev_id), id_parameter(event_id), text_parameter(user_id)}, Reads::statement);
        result = Query::rows() > 0 && DatumGetBool(column(found, 0, 1).value);
    };
    if (caller_reads_all_but_payloads(events, dev_id))
        as_owner(events.owner(), ask);
    else
        as_caller(ask);
    events.close();
    return BoolGetDatum(result);
}

} // namespace terra_identity
