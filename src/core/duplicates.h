// Duplicates: active connections of different end users on one provider account. Each of them has the flag
// `Connection::duplicate`, and a partial index holds only these: the cost of reading duplicates depends on their number
// alone.
#pragma once

#include "core/everything.h"
#include "core/neighbourhood.h"

#include <cstddef>
#include <optional>

namespace terra_identity {

/// Of an account with more holders, the feed names none: a crowd that all become duplicates at once would have to name
/// everybody to everybody.
inline constexpr std::size_t max_named_holders = 20;

/// The account on which a node begins to be a duplicate, or ceases to be one, by a derivation; null if on none. A node
/// may cease to be one on its old account, and begin to be one on its new account.
std::optional<Account> opened_duplicate(const Node& node);
std::optional<Account> closed_duplicate(const Node& node);

/// Sets `now.duplicate` of all connections. Their statuses must be derived before.
void derive_duplicates(Everything& everything);

/// Sets `now.duplicate` of the connections on each account whose active connections changed. Where a duplicate opens or
/// closes, it loads the other active connections of the account: all, or more than `max_named_holders`.
void derive_duplicates(Neighbourhood& neighbourhood);

} // namespace terra_identity
