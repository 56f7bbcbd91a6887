#include "tables/refusals.h"

#include "pg/query.h"
#include "tables/ids.h"
#include "tables/owner.h"

namespace terra_identity::tables {

using namespace pg;

namespace {

/// Counts in a counter that no other transaction has locked: refusals must not wait for one another, because that would
/// keep the handler's sessions from good deliveries. Returns whether this one is to be logged.
Query count_refusal = R"(
    UPDATE terra_identity.refusal_counters r
    SET refused = r.refused + $4, last_at = greatest(r.last_at, $3),
        logged_at = CASE WHEN $3 > r.logged_at + interval '1 minute' THEN $3 ELSE r.logged_at END
    WHERE r.dev_id = $1 AND r.counter_id = (
        SELECT f.counter_id FROM terra_identity.refusal_counters f WHERE f.dev_id = $1 AND f.reason = $2
        ORDER BY f.counter_id LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING r.logged_at = $3)";

Query add_refusal_counter = R"(
    INSERT INTO terra_identity.refusal_counters (dev_id, reason, first_at, last_at, logged_at, refused, counter_id)
    OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, $3, $3, $4, $5))";

} // namespace

bool count_refusals(const std::string& dev_id, const std::string& reason, TimestampTz at, std::int64_t count) {
    bool is_logged = true;
    as_owner(owner_of_tables(), [&] {
        const Query::Parameter environment = text_parameter(dev_id), why = text_parameter(reason),
                               time = timestamptz_parameter(at);
        const SPITupleTable* const counted = count_refusal.run({environment, why, time, id_parameter(count)});
        if (Query::rows() > 0)
            is_logged = DatumGetBool(column(counted, 0, 1).value);
        else
            add_refusal_counter.run(
                {environment, why, time, id_parameter(count), id_parameter(next_id(refusal_counter_ids))});
    });
    return is_logged;
}

} // namespace terra_identity::tables
