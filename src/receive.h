// Receives deliveries that come over HTTP. Checks the signature over the raw body, then stores the body as an event,
// keeps it in `rejected`, or refuses it (docs/rules.md, "Deliveries over HTTP").
#pragma once

#include "core/event.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pg/datum.h"
#include "tables/deliveries.h"

namespace terra_identity {

/// A delivery that is being received.
struct Delivery {
    std::string dev_id; ///< set by `receive`
    TimestampTz received_at;
    Datum body; ///< bytea or text, which have the same layout
    pg::NullableValue headers;
    bool by_header = false;                                   ///< the caller gave no dev_id
    std::optional<tables::SignedContent> signed_content = {}; ///< null if no signature was required
};

/// The outcome of a delivery that names somebody who was forgotten.
inline constexpr std::string_view forgotten_outcome = "forgotten";

/// The answer to the sender.
struct Answer {
    std::string_view outcome; ///< `stored`, `duplicate`, `forgotten` or `rejected`
    int http_status;
    std::optional<std::int64_t> event_id = {};
    std::string detail = {}; ///< why the delivery was rejected, or the problem of the stored event
};

/// Receives a delivery. Never raises an error because of what the sender sent, only because of the server. A body of
/// more than max_body_bytes is rejected and not kept.
/// @param dev_id the environment that the caller gave; null: the header dev-id decides
Answer receive(Delivery delivery, const pg::NullableValue& dev_id);

/// Answers 400. The delivery is kept in `rejected` as it came, once for all its retries. One that names somebody who
/// was forgotten is counted instead, and answered as `forgotten`.
Answer reject(const Delivery& delivery, const std::optional<std::string>& trace_id, std::string reason);

/// The problem for which `terra_identity.strict` rejects a payload; empty if there is none. INSERT raises an error for
/// it.
std::string problem_under_strict(Datum payload, const Headers& headers, Micros received_at);

/// The ids of an environment's rejected deliveries, oldest first, for `replay`. Locks out other batches.
std::vector<std::int64_t> rejected_ids(const std::string& dev_id);

/// Receives a rejected delivery again, without checking its signature again. Null if the delivery is gone, or if
/// another session has locked it.
std::optional<Answer> replay(const std::string& dev_id, std::int64_t rejected_id);

} // namespace terra_identity
