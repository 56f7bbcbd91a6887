// Corrections: events that correct() inserts because a person decided something about a connection. Anybody can send a
// webhook of this type, so read_event takes it for a type that is not known; only what is marked in the ledger
// (events.entered_by) is read here.
#pragma once

#include "core/event.h"
#include "core/json.h"
#include "core/text.h"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace terra_identity {

inline constexpr std::string_view correction_type = "correction";

/// What a correction can say, and the kind of event that it is.
inline constexpr std::array<std::pair<std::string_view, EventKind>, 4> correction_words{{
    {"active", EventKind::corrected_active},
    {"ended", EventKind::corrected_ended},
    {"same_person_as", EventKind::corrected_same_person},
    {"not_same_person_as", EventKind::corrected_not_same_person},
}};

/// The kind of a correction; null for an unknown word.
std::optional<EventKind> correction_of(std::string_view word);

/// Whether a correction of this kind names another connection.
constexpr bool names_other(EventKind kind) {
    return kind == EventKind::corrected_same_person || kind == EventKind::corrected_not_same_person;
}

/// Reads a correction: {"type": "correction", "user": {"user_id"}, "correction": {"what", "note", "other_user_id"}}.
/// Like read_event it never fails: what a later version wrote has a problem and the kind `nothing`.
template <JsonValue J>
Event read_correction(J payload, Micros received_at) {
    Event event;
    event.type = correction_type;
    event.time = received_at;
    const auto text = [](const J& object, std::string_view key) {
        const J value = object.is_object() ? object.member(key) : J();
        return value.is_string() ? std::string(value.text()) : std::string();
    };
    const auto member = [&](std::string_view key) { return payload.is_object() ? payload.member(key) : J(); };
    const std::string user_id = text(member("user"), "user_id");
    const std::string other_user_id = text(member("correction"), "other_user_id");
    const std::optional<EventKind> kind = correction_of(text(member("correction"), "what"));
    if (!kind || user_id.empty() || names_other(*kind) == other_user_id.empty() || other_user_id == user_id) {
        event.problem = "a correction that this version does not know";
        return event;
    }
    event.kind = *kind;
    event.user.emplace().user_id = user_id;
    if (names_other(*kind))
        event.other_user_id = other_user_id;
    return event;
}

} // namespace terra_identity
