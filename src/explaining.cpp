// explain and explain_graph: why a connection is what it is, in sentences and as a picture.
#include "core/explanation.h"
#include "core/explanation_graph.h"

#include <string>
#include <vector>

#include "pg/function.h"
#include "pg/query.h"
#include "pg/result_rows.h"
#include "tables/empty_copy.h"
#include "tables/explanation_queries.h"

namespace terra_identity {

using namespace pg;
using namespace tables;

PG_FUNCTION(terra_identity_explain) {
    refuse_on_empty_copy();
    const std::string user_id = string_of(PG_GETARG_DATUM(0)), dev_id = string_of(PG_GETARG_DATUM(1));
    std::vector<Reason> reasons;
    as_caller_by_index([&] {
        ExplanationQueries source(dev_id);
        reasons = explain(source, dev_id, user_id);
    });
    ResultRows rows(fcinfo);
    for (const Reason& reason : reasons)
        rows.add({reason.at, reason.event_id ? NullableValue(Int64GetDatum(*reason.event_id)) : NullableValue(),
                  text_of(reason.kind), text_of(reason.sentence)});
    return Datum{0};
}

PG_FUNCTION(terra_identity_explain_graph) {
    refuse_on_empty_copy();
    const std::string user_id = string_of(PG_GETARG_DATUM(0)), dev_id = string_of(PG_GETARG_DATUM(1));
    std::string graph;
    as_caller_by_index([&] {
        ExplanationQueries source(dev_id);
        graph = explanation_graph(source, dev_id, user_id);
    });
    return text_of(graph);
}

} // namespace terra_identity
