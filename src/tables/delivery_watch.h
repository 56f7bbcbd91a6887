// DeliveryWatch: passes what concerns one event between `ingest` and the triggers of its INSERT.
#pragma once

#include "core/signature.h"

#include <cstdint>
#include <optional>
#include <string>

#include "tables/deliveries.h"

namespace terra_identity::tables {

/// The event that `ingest` inserts: what was signed, which the triggers read, and what became of the event, which they
/// set. There is a stack of watches, because triggers of the application may call `ingest` for other events meanwhile.
class DeliveryWatch {
public:
    DeliveryWatch(std::int64_t event_id, const std::optional<SignedContent>& signed_content);
    ~DeliveryWatch();
    DeliveryWatch(const DeliveryWatch&) = delete;
    DeliveryWatch& operator=(const DeliveryWatch&) = delete;

    /// The watch of this event; null if there is none.
    static DeliveryWatch* of(std::int64_t event_id);

    const std::optional<SignedContent>& signed_content() const { return signed_content_; }

    std::optional<std::int64_t> repeated; ///< the earlier event, if the delivery is repeated
    bool forgotten = false;               ///< whether it names somebody who was forgotten, and so is not kept
    std::optional<Delivered> taken;       ///< its keys, if they were recorded before it was inserted

private:
    std::int64_t event_id_;
    std::optional<SignedContent> signed_content_;
    DeliveryWatch* outer_;
};

} // namespace terra_identity::tables
