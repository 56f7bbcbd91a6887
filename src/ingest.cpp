// ingest, webhook and replay_rejected: the SQL functions that take deliveries with their raw bodies, as they come over
// HTTP.
#include "core/json_tree.h"

#include <array>

#include "pg/function.h"
#include "pg/json_input.h"
#include "pg/result_rows.h"
#include "pg/scratch.h"
#include "receive.h"
#include "tables/locks.h"
#include "tables/routes.h"

namespace terra_identity {
namespace {

using namespace pg;
using namespace tables;

/// The argument `body`. Null counts as empty.
Datum body_argument(FunctionCallInfo fcinfo) { return PG_ARGISNULL(0) ? text_of("") : PG_GETARG_DATUM(0); }

/// The row that `ingest` returns: (outcome, event_id, http_status, detail).
Datum row_of(FunctionCallInfo fcinfo, const Answer& answer) {
    return result_row(fcinfo, {text_of(answer.outcome),
                               {Int64GetDatum(answer.event_id.value_or(0)), !answer.event_id},
                               Int32GetDatum(answer.http_status),
                               {text_of(answer.detail), answer.detail.empty()}});
}

/// The headers of the HTTP request, which PostgREST provides as a JSON object in a setting; null without PostgREST.
NullableValue request_headers() {
    const char* const headers = call([] { return GetConfigOption("request.headers", true, false); });
    if (headers == nullptr || *headers == '\0')
        return {};
    const JsonInput parsed = read_jsonb(headers);
    if (!parsed.problem.empty())
        throw Error{"22023", "the setting request.headers is not JSON", parsed.problem};
    return parsed.jsonb;
}

void respond_with(int http_status) {
    const std::string status = std::to_string(http_status);
    call([status = status.c_str()] {
        set_config_option("response.status", status, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
    });
}

} // namespace

PG_FUNCTION(terra_identity_ingest) {
    begin_batch_if_called_again(fcinfo);
    return row_of(fcinfo, receive({.dev_id = {},
                                   .received_at = GetCurrentTimestamp(),
                                   .body = body_argument(fcinfo),
                                   .headers = argument(fcinfo, 1)},
                                  argument(fcinfo, 2)));
}

PG_FUNCTION(terra_identity_webhook) {
    begin_batch_if_called_again(fcinfo);
    const Answer answer = receive({.dev_id = {},
                                   .received_at = GetCurrentTimestamp(),
                                   .body = body_argument(fcinfo),
                                   .headers = request_headers()},
                                  {});
    respond_with(answer.http_status);
    // Whoever sends is not told who was forgotten.
    const JsonTree body{{"outcome", answer.outcome == forgotten_outcome ? "stored" : answer.outcome},
                        {"detail", answer.detail.empty() ? JsonTree() : JsonTree(answer.detail)}};
    return text_of(body.dump());
}

PG_FUNCTION(terra_identity_replay_rejected) {
    ResultRows rows(fcinfo);
    const std::string dev_id = dev_id_argument(argument(fcinfo, 0));
    const std::vector<std::int64_t> ids = rejected_ids(dev_id);
    // The memory of one row is freed before the next, because there may be many large bodies.
    const Scratch scratch;
    for (const std::int64_t rejected_id : ids)
        scratch.run([&] {
            if (const std::optional<Answer> answer = replay(dev_id, rejected_id))
                rows.add({Int64GetDatum(rejected_id),
                          text_of(answer->outcome),
                          {Int64GetDatum(answer->event_id.value_or(0)), !answer->event_id},
                          {text_of(answer->detail), answer->detail.empty()}});
        });
    scratch.close();
    return Datum{0};
}

} // namespace terra_identity
