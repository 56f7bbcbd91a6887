// Imports: events that import_users() inserts, one for each user that Terra's REST API, or its SQL destination, lists.
// Like corrections (core/correction.h) they are read only if the ledger marks them (events.entered_by).
#pragma once

#include "core/event_reader.h"

#include <string>

namespace terra_identity {

/// Reads an import: {"type": "import", "user": as Terra lists it, "is_authenticated": if the answer says that}. Its
/// event time is when the list was taken. Never fails: a user that cannot be read is a problem.
template <JsonValue J>
Event read_import(J payload, Micros taken_at) {
    const auto member = [&](std::string_view key) { return payload.is_object() ? payload.member(key) : J(); };
    return EventReader<J>(payload, taken_at).read_listed(member("user"), member("is_authenticated"));
}

/// What a user of one list is recognised by when the list is imported again, beside its payload. It begins with a
/// space, as no trace id of a header does.
inline std::string import_trace_id(const Event& import) {
    return " import " + format_iso8601(import.time) + (import.user ? " " + import.user->user_id : "");
}

} // namespace terra_identity
