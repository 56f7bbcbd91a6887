// A delivery: a row of the ledger read into an Event, and its trace id.
#pragma once

#include "core/event_reader.h"
#include "core/headers.h"

#include <cstdint>
#include <string>

#include "pg/datum.h"
#include "pg/jsonb.h"

namespace terra_identity::pg {

/// @param payload,headers detoasted; headers may be null
Event read_delivery(const Jsonb* payload, const Headers& headers, Micros received_at);

/// Whether this is the first delivery with its trace id; concurrent ones wait for each other.
bool take_trace_id(Oid owner, const std::string& dev_id, const std::string& trace_id, Datum event_id);

/// How many trace ids this backend has taken.
std::uint64_t trace_ids_taken();

/// A jsonb datum in memory, whole.
const Jsonb* detoasted_jsonb(Datum datum);

/// What there is to read of one that may be null.
JsonbView view_of(const NullableValue& jsonb);

} // namespace terra_identity::pg
