// Applies what a statement's events say: lock, read, derive, write, once for each environment.
#pragma once

#include "core/facts.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tables/deliveries.h"

namespace terra_identity {

/// What events say about connections, in the order of the events, and their deliveries.
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
    std::vector<tables::Delivered> deliveries; ///< of these events, and of others that have nothing to say
};

using NewsByEnvironment = std::map<std::string, News>;

/// More items than this in one environment, and a statement has the identity writes of that environment to itself.
inline constexpr std::size_t bulk_items = 100;

/// Takes the deliveries and applies what their events say, but for those that are repeated.
/// @param in_parts there is more to come of the statement: it keeps other batches out, and takes whole environments
void apply_news(NewsByEnvironment news, bool in_parts);

} // namespace terra_identity
