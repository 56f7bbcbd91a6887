// Keys: what a derivation has to hold while it reads, thinks and writes, so that nobody else changes what it relies on.
#pragma once

#include "core/connection.h"

#include <compare>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <variant>

namespace terra_identity {

// In the order in which they have to be taken: connections before slots before lineages.

struct ConnectionKey {
    std::string user_id;
    auto operator<=>(const ConnectionKey&) const = default;
};

/// A provider account, with all its slots, or (no provider_user_id) a reference slot.
struct SlotKey {
    std::string provider;
    std::optional<std::string> provider_user_id;
    std::optional<std::string> reference_id;
    auto operator<=>(const SlotKey&) const = default;
};

struct LineageKey {
    std::int64_t lineage_id;
    auto operator<=>(const LineageKey&) const = default;
};

using Key = std::variant<ConnectionKey, SlotKey, LineageKey>;
using Keys = std::set<Key>;

/// What the caller holds while a derivation reads.
enum class Held {
    keys,        ///< the keys of an earlier attempt: those that are needed have to be noted
    environment, ///< all of it: nobody else writes
};

inline SlotKey key_of(const Slot& slot) {
    return {slot.provider, slot.provider_user_id, slot.is_account() ? std::nullopt : slot.reference_id};
}

} // namespace terra_identity
