// What `ingest` and the triggers of its INSERT tell each other of one event.
#pragma once

#include "core/signature.h"

#include <cstdint>
#include <optional>

namespace terra_identity::tables {

/// What `ingest` has to say and to know of the event of its INSERT. Triggers of the application may insert other events
/// meanwhile.
class DeliveryWatch {
public:
    DeliveryWatch(std::int64_t event_id, const std::optional<Digest>& signed_content);
    ~DeliveryWatch();
    DeliveryWatch(const DeliveryWatch&) = delete;
    DeliveryWatch& operator=(const DeliveryWatch&) = delete;

    /// Null if nobody watches this event.
    static DeliveryWatch* of(std::int64_t event_id);

    const std::optional<Digest>& signed_content() const { return signed_content_; }

    std::optional<std::int64_t> repeated; ///< the event that is there already
    bool removed = false;                 ///< it was in the ledger, and is no more

private:
    std::int64_t event_id_;
    std::optional<Digest> signed_content_;
    DeliveryWatch* outer_;
};

} // namespace terra_identity::tables
