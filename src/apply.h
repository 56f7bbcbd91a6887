// Applies the news of a statement: for each environment once, it locks, reads, derives and writes.
#pragma once

#include "core/derived.h"
#include "core/facts.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tables/deliveries.h"

namespace terra_identity {

/// News: what the events of a statement contribute to the connections of one environment, in the order of the events,
/// and the deliveries of these events.
struct News {
    struct Item {
        Contribution contribution;
        std::int64_t event_id;
    };
    struct Link {
        Reauth reauth;
        std::int64_t event_id;
    };
    std::vector<Item> items;
    std::vector<Link> reauths;
    std::vector<ReauthOfNobody> reauths_of_nobody; ///< still without candidates
    std::vector<Dispute> disputes;                 ///< of which another session may be telling the feed
    std::vector<tables::Delivered> deliveries;     ///< of these events, and of events that contribute nothing
};

using NewsByEnvironment = std::map<std::string, News>;

/// A statement with more items than this in one environment locks the whole environment (src/tables/locks.h).
inline constexpr std::size_t bulk_items = 100;

/// Records the deliveries, and applies the contributions of all events that are not repeated deliveries.
/// @param in_parts the statement has more events to come: it locks out other batches, and locks whole environments
void apply_news(NewsByEnvironment news, bool in_parts);

} // namespace terra_identity
