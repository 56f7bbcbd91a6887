// A delivery: a row of the ledger read into an Event, and its trace id.
#pragma once

#include "core/event_reader.h"
#include "core/headers.h"
#include "core/signature.h"

#include <cstdint>
#include <string>

#include "pg/datum.h"
#include "pg/jsonb.h"

namespace terra_identity::pg {

/// @param payload,headers detoasted; headers may be null
Event read_delivery(const Jsonb* payload, const Headers& headers, Micros received_at);

/// What a repeated delivery has in common with the first: its trace id and its payload.
struct DeliveryKey {
    std::string dev_id;
    std::string trace_id;
    Digest digest; ///< of the payload
};

/// A hash of a payload, detoasted: alike for the same bytes that were sent.
Digest digest_of(const Jsonb* payload);

/// Whether this is the first delivery of its kind; concurrent ones wait for each other.
bool take_delivery(Oid owner, const DeliveryKey& key, std::int64_t event_id);

/// Notes what `take_delivery` finds for the event of one INSERT, for whoever has to know why no row came of it.
/// Triggers of the application may insert other events meanwhile.
class DeliveryWatch {
public:
    explicit DeliveryWatch(std::int64_t event_id);
    ~DeliveryWatch();
    DeliveryWatch(const DeliveryWatch&) = delete;
    DeliveryWatch& operator=(const DeliveryWatch&) = delete;

    std::optional<DeliveryKey> taken;    ///< it was the first of its kind
    std::optional<DeliveryKey> repeated; ///< it was not

private:
    friend bool take_delivery(Oid, const DeliveryKey&, std::int64_t);

    std::int64_t event_id_;
    DeliveryWatch* outer_;
};

/// A jsonb datum in memory, whole.
const Jsonb* detoasted_jsonb(Datum datum);

/// What there is to read of one that may be null.
JsonbView view_of(const NullableValue& jsonb);

} // namespace terra_identity::pg
