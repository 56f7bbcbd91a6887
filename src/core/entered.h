// Entered events: those that correct() or import_users() inserts. Anybody can send a webhook of their types, so
// read_event takes it for a type that is not known; only what is marked in the ledger (events.entered_by) is read here.
#pragma once

#include "core/correction.h"
#include "core/import.h"

namespace terra_identity {

inline constexpr std::array<std::string_view, 2> entered_types{correction_type, import_type};

/// Reads an entered event. Like read_event it never fails: what a later version wrote has a problem and says nothing.
template <JsonValue J>
Event read_entered(J payload, Micros received_at) {
    const J type = payload.is_object() ? payload.member("type") : J();
    if (type.is_string() && type.text() == import_type)
        return read_import(payload, received_at);
    return read_correction(payload, received_at);
}

} // namespace terra_identity
