// Keys: what must be locked while a derivation reads and its result is written, so that nobody else changes what the
// result relies on.
#pragma once

#include "core/connection.h"

#include <compare>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <variant>

namespace terra_identity {

// The kinds of keys, in the order in which they must be locked: connections before slots before lineages.

struct ConnectionKey {
    std::string user_id;
    auto operator<=>(const ConnectionKey&) const = default;
};

/// A provider account, with all its slots; or a reference slot, which has no provider_user_id.
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

/// What the caller has locked while a derivation reads.
enum class Held {
    keys,        ///< the keys of an earlier attempt; the derivation notes which keys it needs
    environment, ///< the whole environment: nobody else writes
};

inline SlotKey key_of(const Slot& slot) {
    return {slot.provider, slot.provider_user_id, slot.is_account() ? std::nullopt : slot.reference_id};
}

} // namespace terra_identity
