// Reads the headers of a delivery, a JSON object. Names are compared without regard to case. Of a name that comes twice
// the first value counts, of an array its first element. Nothing here throws because of what the sender sent.
#pragma once

#include "core/event.h"
#include "core/json.h"
#include "core/text.h"

#include <string>
#include <string_view>
#include <vector>

namespace terra_identity {

inline constexpr std::string_view ordering_header = "x-terra-ordering-timestamp";
inline constexpr std::string_view trace_id_header = "x-terra-trace-id";
inline constexpr std::string_view dev_id_header = "dev-id";

/// The value of one header: of an array its first element. It may have any JSON type.
template <JsonValue J>
J header_value(const J& value) {
    if (!value.is_array())
        return value;
    J first;
    value.find_member([&first](std::string_view, const J& element) {
        first = element;
        return true;
    });
    return first;
}

/// Reads the ordering timestamp, the trace id and the dev-id. A value that is neither a string nor, for the ordering
/// timestamp, an integer counts as absent. @param received_at limits which ordering timestamps are believed
template <JsonValue J>
Headers read_headers(const J& headers, Micros received_at) {
    Headers result;
    if (!headers.is_object())
        return result;
    headers.find_member([&](std::string_view name, const J& member) {
        const J value = header_value(member);
        const std::string text = text_or_digits(value);
        if (!result.ordering && equals_ignoring_case(name, ordering_header)) {
            result.ordering = believed(parse_ordering_timestamp(text), received_at);
        } else if (!result.trace_id && value.is_string() && !text.empty() &&
                   equals_ignoring_case(name, trace_id_header)) {
            if (text.size() > max_id_bytes)
                result.problem = "the trace id is longer than " + std::to_string(max_id_bytes) + " bytes";
            else
                result.trace_id = text;
        } else if (!result.dev_id && value.is_string() && !text.empty() && equals_ignoring_case(name, dev_id_header)) {
            if (text.size() <= max_id_bytes)
                result.dev_id = text;
            else if (result.problem.empty()) // a problem of the trace id counts first, in any order of headers
                result.problem = "the dev-id header is longer than " + std::to_string(max_id_bytes) + " bytes";
        }
        return false;
    });
    return result;
}

/// The values of `X-Terra-Signature` and `terra-signature`: at most one of each, which limits how much hashing a sender
/// can cause.
template <JsonValue J>
std::vector<std::string> read_signatures(const J& headers) {
    std::vector<std::string> result;
    if (!headers.is_object())
        return result;
    for (const std::string_view wanted : {"x-terra-signature", "terra-signature"})
        headers.find_member([&](std::string_view name, const J& member) {
            if (!equals_ignoring_case(name, wanted))
                return false;
            if (const J value = header_value(member); value.is_string())
                result.emplace_back(value.text());
            return true;
        });
    return result;
}

} // namespace terra_identity
