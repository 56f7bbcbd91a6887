#include "tables/delivery_watch.h"

#include <utility>

namespace terra_identity::tables {
namespace {

DeliveryWatch* innermost_watch = nullptr;

} // namespace

DeliveryWatch::DeliveryWatch(std::int64_t event_id, const std::optional<SignedContent>& signed_content)
    : event_id_(event_id), signed_content_(signed_content), outer_(std::exchange(innermost_watch, this)) {}

DeliveryWatch::~DeliveryWatch() { innermost_watch = outer_; }

DeliveryWatch* DeliveryWatch::of(std::int64_t event_id) {
    DeliveryWatch* watch = innermost_watch;
    while (watch != nullptr && watch->event_id_ != event_id)
        watch = watch->outer_;
    return watch;
}

} // namespace terra_identity::tables
