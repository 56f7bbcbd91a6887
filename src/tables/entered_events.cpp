#include "tables/entered_events.h"

#include <algorithm>
#include <utility>

namespace terra_identity::tables {
namespace {

EnteredEvents* innermost = nullptr;

} // namespace

EnteredEvents::EnteredEvents(std::vector<std::int64_t> event_ids, std::string entered_by)
    : event_ids_(std::move(event_ids)), entered_by_(std::move(entered_by)), outer_(std::exchange(innermost, this)) {}

EnteredEvents::~EnteredEvents() { innermost = outer_; }

const std::string* EnteredEvents::role_of(std::int64_t event_id) {
    for (const EnteredEvents* entered = innermost; entered != nullptr; entered = entered->outer_)
        if (std::binary_search(entered->event_ids_.begin(), entered->event_ids_.end(), event_id))
            return &entered->entered_by_;
    return nullptr;
}

} // namespace terra_identity::tables
