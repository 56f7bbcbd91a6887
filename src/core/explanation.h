// Explanation: why a connection is what it is, in sentences that follow from its events, its facts and its neighbours.
#pragma once

#include "core/explanation_source.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace terra_identity {

/// The rules that sentences name, by their names in docs/rules.md.
namespace rule_names {

inline constexpr std::string_view connected_at = "connected_at";
inline constexpr std::string_view degraded = "Degraded";
inline constexpr std::string_view duplicate = "Duplicate";
inline constexpr std::string_view effective_account = "Effective provider_user_id";
inline constexpr std::string_view ended = "Ended";
inline constexpr std::string_view environment = "Environment";
inline constexpr std::string_view keep_or_replace = "Keep or replace";
inline constexpr std::string_view lineage = "Lineage";
inline constexpr std::string_view newer = "Newer";
inline constexpr std::string_view resolve = "resolve";
inline constexpr std::string_view slots = "Slots";
inline constexpr std::string_view status = "Status";
inline constexpr std::string_view superseded = "Superseded";
inline constexpr std::string_view transfer = "Transfer";
inline constexpr std::string_view unusable = "A provider whose account ids are unusable";

inline constexpr std::array all{connected_at,    degraded, duplicate, effective_account, ended, environment,
                                keep_or_replace, lineage,  newer,     resolve,           slots, status,
                                superseded,      transfer, unusable};

} // namespace rule_names

/// One thing that mattered.
struct Reason {
    std::optional<Micros> at;             ///< null: of no time, as a conclusion is
    std::optional<std::int64_t> event_id; ///< the event that says it; null if it follows from several
    std::string kind;                     ///< the type of the event, or what follows; `conclusion` is the last
    std::string sentence;
};

/// Everything that mattered for a connection, oldest first, and the conclusion last. Of a user_id that was never seen:
/// the conclusion alone.
/// @param dev_id the environment, for sentences
std::vector<Reason> explain(ExplanationSource& source, const std::string& dev_id, const std::string& user_id);

} // namespace terra_identity
