#include "tables/disconnects.h"

#include "core/interrupts.h"

#include <algorithm>
#include <utility>

#include "pg/query.h"
#include "pg/relations.h"
#include "tables/accepted_duplicates.h"
#include "tables/ids.h"

namespace terra_identity::tables {

using namespace pg;

namespace {

Query insert_disconnect = R"(
    INSERT INTO terra_identity.disconnects (disconnect_id, dev_id, user_id, lineage_id, reference_id, provider,
        provider_user_id, on_duplicate, event_id, requested_at, state, next_attempt_at)
    OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'queued', $10))";

Query close_row = R"(
    UPDATE terra_identity.disconnects d
    SET state = 'closed', closed_at = clock_timestamp(), closed_because = $3
    WHERE d.dev_id = $1 AND d.disconnect_id = $2 AND d.state IN ('queued', 'taken'))";

/// The accounts that have duplicates, or open rows.
Query select_accounts = R"(
    SELECT c.provider, c.provider_user_id FROM terra_identity.connections c WHERE c.dev_id = $1 AND c.duplicate
    UNION
    SELECT d.provider, d.provider_user_id FROM terra_identity.disconnects d
    WHERE d.dev_id = $1 AND d.state IN ('queued', 'taken'))";

/// The columns that are read by number, in their order in sql/install/14_disconnects.sql, counted from 1.
enum Column : AttrNumber {
    disconnect_id_column = 1,
    user_id_column = 3,
    provider_column = 6,
    provider_user_id_column,
    state_column = 11,
};

DisconnectRow row_of(HeapTuple row, const Table& table) {
    const auto text = [&](Column column) { return string_of(attribute(row, table.columns(), column).value); };
    return {DatumGetInt64(attribute(row, table.columns(), disconnect_id_column).value),
            text(user_id_column),
            {text(provider_column), text(provider_user_id_column)},
            text(state_column)};
}

std::vector<DisconnectRow> open_rows(const Table& table, const std::string& dev_id, const Account& account) {
    const IndexScan open{.table = table.relation(), .index = "disconnects_account_idx"};
    std::vector<DisconnectRow> rows;
    for (const HeapTuple row :
         open.fetch(IndexKeys().equals(dev_id).equals(account.provider).equals(account.provider_user_id)))
        rows.push_back(row_of(row, table));
    return rows;
}

/// What is to be written: a connection may leave one account and be disconnected from another, so that all is closed
/// before anything is opened.
struct Difference {
    struct Opened {
        Connection connection;
        std::int64_t event_id;
    };
    struct Closed {
        std::int64_t disconnect_id;
        std::string_view because;
    };
    std::vector<Opened> opened;
    std::vector<Closed> closed;
};

void compare(const Account& account, std::int64_t event_id, const Table& table, OnDuplicate on_duplicate,
             TableStore& store, Difference& difference) {
    const std::vector<DisconnectRow> rows = open_rows(table, store.dev_id(), account);
    if (rows.empty() && on_duplicate == OnDuplicate::report)
        return;
    const AccountNow now = look_at_account(account, on_duplicate, store);
    const auto is_active = [&](const std::string& user_id) {
        return std::any_of(now.active.begin(), now.active.end(),
                           [&](const Connection& connection) { return connection.user_id == user_id; });
    };
    std::vector<std::string> open;
    for (const DisconnectRow& row : rows) {
        open.push_back(row.user_id);
        if (!now.disconnects.contains(row.user_id))
            difference.closed.push_back({row.disconnect_id, now.active.size() >= crowd || is_active(row.user_id)
                                                                ? now.disconnects.why_not
                                                                : "it has ended, or is on another account"});
    }
    for (const Connection& connection : now.active)
        if (now.disconnects.contains(connection.user_id) &&
            std::find(open.begin(), open.end(), connection.user_id) == open.end())
            difference.opened.push_back({connection, event_id});
}

void insert(const Difference::Opened& opened, const std::string& dev_id, OnDuplicate on_duplicate) {
    const Connection& connection = opened.connection;
    insert_disconnect.run(
        {id_parameter(next_id(disconnect_ids)),
         text_parameter(dev_id),
         text_parameter(connection.user_id),
         id_parameter(connection.lineage_id),
         nullable_text_parameter(connection.reference_id()),
         nullable_text_parameter(connection.provider()),
         nullable_text_parameter(connection.provider_user_id),
         text_parameter(std::string(to_string(on_duplicate))),
         {INT8OID, opened.event_id == 0 ? NullableValue() : NullableValue(Int64GetDatum(opened.event_id))},
         timestamptz_parameter(GetCurrentTimestamp())});
}

} // namespace

AccountNow look_at_account(const Account& account, OnDuplicate on_duplicate, TableStore& store) {
    AccountNow now;
    now.active = store.active_connections({{account, static_cast<std::int64_t>(crowd)}});
    now.disconnects = disconnects_of(on_duplicate, is_accepted(store.dev_id(), account), now.active);
    return now;
}

void write_disconnects(const std::map<Account, std::int64_t>& accounts, OnDuplicate on_duplicate, TableStore& store) {
    if (accounts.empty())
        return;
    Table table("disconnects", RowExclusiveLock);
    Difference difference;
    for (const auto& [account, event_id] : interruptible(accounts))
        compare(account, event_id, table, on_duplicate, store, difference);
    if (!difference.closed.empty() || !difference.opened.empty())
        as_definer(table.owner(), [&] {
            for (const Difference::Closed& closed : interruptible(difference.closed))
                close_disconnect(store.dev_id(), closed.disconnect_id, closed.because);
            for (const Difference::Opened& opened : interruptible(difference.opened))
                insert(opened, store.dev_id(), on_duplicate);
        });
    table.close();
}

void write_all_disconnects(OnDuplicate on_duplicate, TableStore& store) {
    const SPITupleTable* const found = select_accounts.run({text_parameter(store.dev_id())});
    std::map<Account, std::int64_t> accounts;
    for (std::uint64_t i = 0; i < Query::rows(); ++i)
        accounts.emplace(Account{string_of(column(found, i, 1).value), string_of(column(found, i, 2).value)}, 0);
    write_disconnects(accounts, on_duplicate, store);
}

std::optional<DisconnectRow> find_disconnect(const std::string& dev_id, std::int64_t disconnect_id) {
    Table table("disconnects", AccessShareLock);
    const IndexScan by_key{.table = table.relation(), .index = "disconnects_pkey", .limit = 1};
    std::optional<DisconnectRow> found;
    for (const HeapTuple row : by_key.fetch(IndexKeys().equals(dev_id).equals(disconnect_id)))
        found = row_of(row, table);
    table.close();
    return found;
}

void close_disconnect(const std::string& dev_id, std::int64_t disconnect_id, std::string_view because) {
    close_row.run({text_parameter(dev_id), id_parameter(disconnect_id), text_parameter(std::string(because))});
}

} // namespace terra_identity::tables
