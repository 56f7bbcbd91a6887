// The table `disconnects`: which connections are to be deauthenticated at Terra. Its open rows (queued or taken) are
// those that follow from the duplicates, whoever changes these. All that change an account hold its lock, and rows are
// written after connections; who only takes rows waits for nobody.
#pragma once

#include "core/disconnects.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tables/table_store.h"

namespace terra_identity::tables {

using namespace pg;

/// Opens and closes the rows of these accounts, as it follows from the stored connections.
/// @param accounts each with the event that caused it, 0 for none; they must be locked
/// @param store of the environment
void write_disconnects(const std::map<Account, std::int64_t>& accounts, OnDuplicate on_duplicate, TableStore& store);

/// The same of all accounts of the environment, which must be locked exclusively. Within `as_owner`.
void write_all_disconnects(OnDuplicate on_duplicate, TableStore& store);

/// What follows for an account now, and who is on it: at most `crowd` of its active connections.
struct AccountNow {
    Disconnects disconnects;
    std::vector<Connection> active;
};
AccountNow look_at_account(const Account& account, OnDuplicate on_duplicate, TableStore& store);

/// A row, as far as C++ needs it.
struct DisconnectRow {
    std::int64_t disconnect_id = 0;
    std::string user_id;
    Account account;
    std::string state;
};

/// The row with this id, as committed last; null if there is none.
std::optional<DisconnectRow> find_disconnect(const std::string& dev_id, std::int64_t disconnect_id);

/// Closes a row, if it is open. Within `as_definer`.
void close_disconnect(const std::string& dev_id, std::int64_t disconnect_id, std::string_view because);

} // namespace terra_identity::tables
