#include "core/reference_history.h"

#include "core/interrupts.h"

#include <algorithm>

namespace terra_identity {

void ReferenceHistory::add(const Event& event) {
    if (!is_identity(event.kind))
        return;
    for (const Contribution& contribution : contributions_of(event))
        if (contribution.user_id == user_id_ && contribution.facts.reference_id)
            keep_winner(written_[event.time], contribution.facts.reference_id);
}

std::vector<ReferencePeriod> ReferenceHistory::periods(const Register& reference_id) const {
    std::vector<ReferencePeriod> result;
    for (const auto& [time, writer] : interruptible(written_)) {
        if (!result.empty() && result.back().reference_id == writer->value)
            continue;
        if (!result.empty())
            result.back().to = time;
        result.push_back({writer->value, result.empty() ? std::nullopt : std::optional(time), std::nullopt});
    }
    if (result.empty() && reference_id && reference_id->passing)
        result.push_back({reference_id->value, std::nullopt, std::nullopt});
    return result;
}

const ReferencePeriod* period_at(const std::vector<ReferencePeriod>& periods, Micros time) {
    const auto after = std::find_if(periods.begin(), periods.end(),
                                    [time](const ReferencePeriod& period) { return !period.to || time < *period.to; });
    return after == periods.end() ? nullptr : &*after;
}

} // namespace terra_identity
