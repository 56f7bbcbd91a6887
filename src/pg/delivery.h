// A row of the ledger, read into an Event.
#pragma once

#include "core/event_reader.h"
#include "core/headers.h"

#include "pg/jsonb.h"

namespace terra_identity::pg {

/// @param payload,headers detoasted; headers may be null
Event read_delivery(const Jsonb* payload, const Headers& headers, Micros received_at);

/// A jsonb datum in memory, whole.
const Jsonb* detoasted_jsonb(Datum datum);

} // namespace terra_identity::pg
