// The columns of `events`, in their order in sql/install/02_events.sql, counted from 1.
#pragma once

#include "pg/guard.h"

namespace terra_identity::tables {

using namespace pg;

enum EventColumn : AttrNumber {
    event_event_id = 1,
    event_dev_id,
    event_received_at,
    event_payload,
    event_headers,
    event_event_type,
    event_user_id,
    event_reference_id,
    event_provider,
    event_trace_id,
    event_event_time,
    event_problem,
    event_contributes,
    event_entered_by,
    event_disputes_reference,
    event_backfilled,
    event_columns = event_backfilled,
};

} // namespace terra_identity::tables
