// Repeated deliveries. A delivery is repeated if its trace id and payload (table `deliveries`), or what was signed
// (table `signatures`), were delivered before. These functions find the earlier event, record deliveries, and remove
// repeated ones from the ledger.
#pragma once

#include "core/signature.h"

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "pg/datum.h"
#include "pg/jsonb.h"

namespace terra_identity::tables {

using namespace pg;

/// What a repeated delivery and the first one have in common: the trace id and the payload.
struct DeliveryKey {
    std::string dev_id;
    std::string trace_id;
    std::int64_t payload_hash;

    auto operator<=>(const DeliveryKey&) const = default;
};

/// A hash of a detoasted payload. It is the same for a payload that is sent again. It tells the few payloads apart that
/// come under one trace id: nothing that a forger could use, because whoever can deliver anything needs none.
std::int64_t hash_of(const Jsonb* payload);

/// The time that was signed, and a hash of it and of the body: the same content has the same, whichever secret signed
/// it. Nobody without a secret can have another content accepted that has the same hash. The time comes first, so that
/// new entries of the index lie side by side.
using SignedContent = std::array<unsigned char, 16>;

SignedContent signed_content_of(const Signature& signature, std::string_view body);

/// Return the event of a delivery with this key, or with this signed content; null if there is none. They wait if
/// another transaction is about to insert one.
std::optional<std::int64_t> find_delivery(const DeliveryKey& key);
std::optional<std::int64_t> find_signature(const std::string& dev_id, const SignedContent& signed_content);

/// An event that was inserted into the ledger, with its keys, which no other event of the environment may have.
struct Delivered {
    std::int64_t event_id;
    ItemPointerData place = {}; ///< the place of its row in the ledger
    std::optional<std::string> trace_id = {};
    std::int64_t payload_hash = 0;                    ///< if there is a trace id
    std::optional<SignedContent> signed_content = {}; ///< null if no signature was required
};

/// Records the keys of these deliveries, in an order that is the same for all sessions. An event whose key another
/// transaction has recorded meanwhile is removed from the ledger. @return the ids of the removed events
std::set<std::int64_t> take_deliveries(const std::string& dev_id, std::vector<Delivered> deliveries);

/// Records the keys of a delivery that is about to be inserted, the only one of its statement. Then no other
/// transaction can insert it. @return the earlier event if it is repeated; then nothing is recorded
std::optional<std::int64_t> take_delivery(const std::string& dev_id, const Delivered& delivery);

/// Takes that back, because the delivery was not inserted.
void give_back_delivery(const std::string& dev_id, const Delivered& delivery);

/// Records signed content for an event, unless it is recorded already. @return the event that it is recorded for
/// already; null if there was none
std::optional<std::int64_t> add_signature(const std::string& dev_id, const SignedContent& signed_content,
                                          std::int64_t event_id);

} // namespace terra_identity::tables
