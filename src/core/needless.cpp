#include "core/needless.h"

#include <utility>

namespace terra_identity {

std::vector<std::int64_t> NeedlessEvents::add(std::int64_t event_id, const Event& event, bool disputes) {
    const bool is_first = type_ != event.type;
    std::vector<std::int64_t> needless;
    if (is_first || event.time != last_at_) {
        if (!is_first)
            needless = std::move(last_);
        last_.clear();
    }
    type_ = event.type;
    last_at_ = event.time;
    bool stays = is_first;
    if (disputes && event.user && event.user->reference_id)
        stays = disputed_.insert(*event.user->reference_id).second || stays;
    for (const Contribution& contribution : contributions_of(event)) {
        stays = stays || !facts_.absorbs(contribution.facts);
        if (stays)
            facts_.merge(contribution.facts);
    }
    if (!stays)
        last_.push_back(event_id);
    return needless;
}

} // namespace terra_identity
