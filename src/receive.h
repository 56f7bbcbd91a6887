// Deliveries as they come over HTTP: their signature is checked over the raw body, which is then stored as an event,
// kept as it is, or refused (docs/rules.md, "Deliveries over HTTP").
#pragma once

#include "core/signature.h"

#include <optional>
#include <string>
#include <vector>

#include "pg/datum.h"

namespace terra_identity {

/// A delivery on its way in.
struct Delivery {
    std::string dev_id; ///< filled in by `receive`
    TimestampTz received_at;
    Datum body; ///< bytea or text, which are alike
    pg::NullableValue headers;
    bool by_header = false;                    ///< it was given no dev_id
    std::optional<Digest> signed_content = {}; ///< if its signature was asked for: a hash of what was signed
};

/// What the sender is answered.
struct Answer {
    const char* outcome; ///< stored, duplicate or rejected
    int http_status;
    std::optional<std::int64_t> event_id = {};
    std::string detail = {}; ///< why it was rejected; the problem of an event that was stored
};

/// Takes a delivery in. Raises nothing for what the sender sent, everything that the server suffers. A body of more
/// than max_body_bytes is rejected and not kept.
/// @param dev_id the environment that the caller gave; null: the delivery's header leads to one
Answer receive(Delivery delivery, const pg::NullableValue& dev_id);

/// The rejected deliveries of an environment, oldest first; as they are to be replayed, other batches are kept out.
std::vector<std::int64_t> rejected_ids(const std::string& dev_id);

/// Takes a rejected delivery in again, whose signature was good when it came. Null if it is gone, or somebody else is
/// at it.
std::optional<Answer> replay(const std::string& dev_id, std::int64_t rejected_id);

} // namespace terra_identity
