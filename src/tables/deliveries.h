// Repeated deliveries: what makes a delivery the same as another one, its trace id and payload (table `deliveries`), or
// what was signed (table `signatures`); how the first takes it, and what becomes of the others.
#pragma once

#include "core/signature.h"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pg/datum.h"
#include "pg/jsonb.h"

namespace terra_identity::tables {

using namespace pg;

/// What a repeated delivery has in common with the first: its trace id and its payload.
struct DeliveryKey {
    std::string dev_id;
    std::string trace_id;
    Digest digest; ///< of the payload

    auto operator<=>(const DeliveryKey&) const = default;
};

/// A hash of a payload, detoasted: alike for the same bytes that were sent.
Digest digest_of(const Jsonb* payload);

/// The event of a delivery with this key, or with this signed content; null if there is none. Waits for whoever is
/// about to deliver it.
std::optional<std::int64_t> find_delivery(const DeliveryKey& key);
std::optional<std::int64_t> find_signature(const std::string& dev_id, const Digest& signed_content);

/// An event that was put into the ledger, and what no other event of its environment may have.
struct Delivered {
    std::int64_t event_id;
    ItemPointerData place; ///< in the ledger
    std::optional<std::string> trace_id = {};
    Digest digest{};                           ///< of the payload, if there is a trace id
    std::optional<Digest> signed_content = {}; ///< if its signature was asked for
};

/// Takes what the events have, in one order for all. Where another transaction was faster since they were looked for,
/// the event is removed from the ledger. @return the ids of those
std::set<std::int64_t> take_deliveries(const std::string& dev_id, std::vector<Delivered> deliveries);

/// Has what was signed stand for an event, if it stands for none. @return whether it did not
bool add_signature(const std::string& dev_id, const Digest& signed_content, std::int64_t event_id);

} // namespace terra_identity::tables
