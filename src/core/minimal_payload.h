// The least payload that is read as a given event: what forget() leaves of events that the state of other people needs.
#pragma once

#include "core/event.h"
#include "core/json_tree.h"

namespace terra_identity {

/// A payload that contributes what the event contributes, and has nothing else: no data, no names, no notes. It is read
/// by read_event, or for an entered event by read_entered, at the same received_at.
/// @param event one that contributes: its kind is not `nothing`
JsonTree minimal_payload(const Event& event);

/// The headers that belong to it: the ordering timestamp, or null.
JsonTree minimal_headers(const Event& event);

} // namespace terra_identity
