// Applies what a statement's events say: lock, read, derive, write, once for each environment.
#pragma once

#include "core/facts.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "pg/guard.h"

namespace terra_identity::pg {

/// What events say about connections, in the order of the events.
struct News {
    struct Item {
        Contribution contribution;
        std::int64_t event_id;
    };
    std::vector<Item> items;
    std::vector<Reauth> reauths;
};

using NewsByEnvironment = std::map<std::string, News>;

/// More items than this in one environment, and a statement has the identity writes of that environment to itself.
inline constexpr std::size_t bulk_items = 100;

/// Applies them. @param bulk takes environments for itself even if there are few items
void apply_news(const NewsByEnvironment& news, bool bulk);

} // namespace terra_identity::pg
