// take_disconnects, confirm_disconnect and fail_disconnect, which the workers call that deauthenticate connections at
// Terra; and the triggers by which disconnects follow from accepted_duplicates.
#include "core/disconnects.h"
#include "core/interrupts.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "correcting.h"
#include "pg/function.h"
#include "pg/query.h"
#include "pg/relations.h"
#include "pg/result_rows.h"
#include "pg/trigger.h"
#include "tables/disconnects.h"
#include "tables/locks.h"
#include "tables/owner.h"
#include "tables/routes.h"
#include "tables/rules.h"

extern "C" {
#include "miscadmin.h"
}

namespace terra_identity {
namespace {

using namespace pg;
using namespace tables;

Query select_due = R"(
    SELECT d.disconnect_id, d.user_id, d.provider, d.provider_user_id FROM terra_identity.disconnects d
    WHERE d.dev_id = $1 AND d.state IN ('queued', 'taken') AND d.next_attempt_at <= $2
    ORDER BY d.next_attempt_at, d.disconnect_id LIMIT $3 FOR UPDATE SKIP LOCKED)";

Query take_row = R"(
    UPDATE terra_identity.disconnects d
    SET state = 'taken', attempts = d.attempts + 1, taken_by = $3, next_attempt_at = $4, last_of_account = $5,
        other_user_ids = $6
    WHERE d.dev_id = $1 AND d.disconnect_id = $2
    RETURNING d.disconnect_id, d.user_id, d.reference_id, d.provider, d.provider_user_id, d.last_of_account,
        d.other_user_ids, d.attempts, d.last_error, d.next_attempt_at)";
constexpr int taken_columns = 10;

Query confirm_row = R"(
    UPDATE terra_identity.disconnects d
    SET state = 'done', closed_at = clock_timestamp(), closed_because = NULL, last_of_account = $3, other_user_ids = $4
    WHERE d.dev_id = $1 AND d.disconnect_id = $2 AND d.state <> 'done')";

Query select_attempts = R"(
    SELECT d.attempts FROM terra_identity.disconnects d
    WHERE d.dev_id = $1 AND d.disconnect_id = $2 AND d.state IN ('queued', 'taken') FOR UPDATE)";
Query fail_row = R"(
    UPDATE terra_identity.disconnects d
    SET state = 'queued', last_error = left($3, 1000), next_attempt_at = $4
    WHERE d.dev_id = $1 AND d.disconnect_id = $2)";

NullableValue required(const NullableValue& argument, const char* name) {
    if (argument.is_null)
        throw Error{"22004", std::string(name) + " is null"};
    return argument;
}

Micros now() { return micros_of(TimestampTzGetDatum(GetCurrentTimestamp())); }

Query::Parameter time_parameter(Micros time) { return {TIMESTAMPTZOID, NullableValue(timestamptz_of(time))}; }

/// The other connections that are active on an account, newest first.
std::vector<std::string> others_of(const AccountNow& account, const std::string& user_id) {
    std::vector<const Connection*> others;
    for (const Connection& connection : account.active)
        if (connection.user_id != user_id)
            others.push_back(&connection);
    std::sort(others.begin(), others.end(), [](const Connection* a, const Connection* b) { return is_older(*b, *a); });
    std::vector<std::string> user_ids;
    for (const Connection* other : others)
        user_ids.push_back(other->user_id);
    return user_ids;
}

/// Parameters for last_of_account and other_user_ids.
std::vector<Query::Parameter> parameters_of(const std::vector<std::string>& others) {
    return {{BOOLOID, BoolGetDatum(others.empty())}, texts_parameter(others)};
}

/// Rows that are due, locked until the end of the transaction.
std::vector<DisconnectRow> lock_due(const std::string& dev_id, Micros at, std::int64_t n) {
    std::vector<DisconnectRow> due;
    as_owner_by_index(owner_of_tables(), [&] {
        const SPITupleTable* const rows = select_due.run({text_parameter(dev_id), time_parameter(at), id_parameter(n)});
        for (std::uint64_t i = 0; i < Query::rows(); ++i)
            due.push_back({DatumGetInt64(column(rows, i, 1).value),
                           string_of(column(rows, i, 2).value),
                           {string_of(column(rows, i, 3).value), string_of(column(rows, i, 4).value)},
                           ""});
    });
    return due;
}

class Worker {
public:
    Worker(std::string dev_id, Micros lease, ResultRows& taken)
        : connections_("connections", AccessShareLock), store_(connections_, std::move(dev_id)), lease_(lease),
          on_duplicate_(read_rules(store_.dev_id(), Reads::latest).on_duplicate), taken_(&taken),
          role_(call([] { return GetUserNameFromId(GetUserId(), false); })) {}

    /// Takes up to n rows that are due, and closes those among them that do not follow from the duplicates any more.
    void take(std::int64_t n) {
        const Micros at = now();
        std::set<std::int64_t> seen; // a trigger of the owner may keep a row from being written
        for (bool goes_on = true; goes_on && n > 0;) {
            const std::vector<DisconnectRow> due = lock_due(store_.dev_id(), at, n);
            goes_on = false;
            as_definer(owner_of_tables(), [&] {
                for (const DisconnectRow& row : interruptible(due)) {
                    if (!seen.insert(row.disconnect_id).second)
                        continue;
                    goes_on = true;
                    n -= take_or_close(row) ? 1 : 0;
                }
            });
        }
    }

    void close() { connections_.close(); }

private:
    bool take_or_close(const DisconnectRow& row) {
        const AccountNow account = look_at_account(row.account, on_duplicate_, store_);
        if (!account.disconnects.contains(row.user_id)) {
            close_disconnect(store_.dev_id(), row.disconnect_id, "it does not follow from the duplicates any more");
            return false;
        }
        std::vector<Query::Parameter> parameters{text_parameter(store_.dev_id()), id_parameter(row.disconnect_id),
                                                 text_parameter(role_), time_parameter(now() + lease_)};
        for (const Query::Parameter& parameter : parameters_of(others_of(account, row.user_id)))
            parameters.push_back(parameter);
        const SPITupleTable* const rows = take_row.run(parameters);
        if (Query::rows() == 0)
            return false;
        std::vector<NullableValue> columns;
        for (int number = 1; number <= taken_columns; ++number)
            columns.push_back(column(rows, 0, number));
        taken_->add_row(columns);
        return true;
    }

    Table connections_;
    TableStore store_;
    Micros lease_;
    OnDuplicate on_duplicate_;
    ResultRows* taken_;
    std::string role_;
};

struct Named {
    std::string dev_id;
    DisconnectRow row;
};

/// The row that the arguments name; in a batch, under the lock of its environment. @throws Error 22023 if there is none
Named row_of_arguments(const NullableValue& disconnect_id, const NullableValue& dev_id) {
    const std::int64_t id = DatumGetInt64(required(disconnect_id, "disconnect_id").value);
    Named named{dev_id_argument(dev_id), {}};
    lock_whole_in_batch(named.dev_id);
    const std::optional<DisconnectRow> row = find_disconnect(named.dev_id, id);
    if (!row)
        throw Error{"22023",
                    "there is no disconnect " + std::to_string(id) + " in environment \"" + named.dev_id + "\"", "",
                    "Check the disconnect_id, and the dev_id."};
    named.row = *row;
    return named;
}

/// Makes an open row wait for its next attempt. @return when it is due; null if the row is not open
std::optional<Micros> fail(const std::string& dev_id, std::int64_t disconnect_id, Datum error) {
    std::optional<Micros> next;
    as_definer(owner_of_tables(), [&] {
        const SPITupleTable* const found = select_attempts.run({text_parameter(dev_id), id_parameter(disconnect_id)});
        if (Query::rows() == 0)
            return;
        next = now() + wait_after(DatumGetInt32(column(found, 0, 1).value));
        fail_row.run({text_parameter(dev_id), id_parameter(disconnect_id), {TEXTOID, error}, time_parameter(*next)});
    });
    return next;
}

bool is_active(const std::string& user_id, TableStore& store) {
    const std::vector<Connection> found = store.connections({user_id});
    return !found.empty() && !found.front().facts.ended();
}

/// The accounts that the statement in progress accepts, or no longer accepts, as shared; each with its environment. A
/// rollback may leave some behind; they are looked at once too often, which changes nothing.
std::map<std::string, std::set<Account>>* accepted = nullptr;

/// The columns of `accepted_duplicates`, counted from 1.
enum AcceptedColumn : AttrNumber { accepted_dev_id = 1, accepted_provider, accepted_provider_user_id };

/// More accounts than this are not locked one by one, because the server's lock table is shared and small.
constexpr std::size_t max_accounts = 1000;

void follow_accepted(const std::string& dev_id, const std::set<Account>& accounts, const Table& connections) {
    EnvironmentLocks locks(dev_id);
    const bool exclusive =
        keeps_batches_out() || locks.held_exclusive() || keys_of_transaction() + accounts.size() > max_accounts;
    locks.lock_environment(exclusive);
    if (!exclusive) {
        Keys keys;
        for (const Account& account : accounts)
            keys.insert(SlotKey{account.provider, account.provider_user_id, std::nullopt});
        locks.lock(keys);
    }
    TableStore store(connections, dev_id);
    std::map<Account, std::int64_t> without_event;
    for (const Account& account : accounts)
        without_event.emplace(account, 0);
    write_disconnects(without_event, remembered_rules(dev_id).on_duplicate, store);
}

} // namespace

PG_FUNCTION(terra_identity_take_disconnects) {
    ResultRows taken(fcinfo);
    const std::int64_t n = DatumGetInt32(required(argument(fcinfo, 0), "n").value);
    const Micros lease = micros_of_interval(required(argument(fcinfo, 1), "lease").value);
    const std::string dev_id = dev_id_argument(argument(fcinfo, 2));
    if (n < 1)
        throw Error{"22023", "n must be at least 1"};
    if (lease <= 0 || lease > 365 * micros_per_day)
        throw Error{"22023", "the lease must be positive, and at most a year"};
    Worker worker(dev_id, lease, taken);
    worker.take(n);
    worker.close();
    return Datum{0};
}

PG_FUNCTION(terra_identity_confirm_disconnect) {
    begin_batch_if_called_again(fcinfo);
    const auto [dev_id, row] = row_of_arguments(argument(fcinfo, 0), argument(fcinfo, 1));
    if (row.state == "done")
        return BoolGetDatum(false);
    Table connections("connections", AccessShareLock);
    TableStore store(connections, dev_id);
    // First the connection, then the row: who changes the duplicate locks them in this order.
    if (is_active(row.user_id, store))
        insert_end(row.user_id,
                   "Terra confirmed that it deauthenticated it: disconnect " + std::to_string(row.disconnect_id),
                   dev_id);
    const AccountNow account = look_at_account(row.account, read_rules(dev_id, Reads::latest).on_duplicate, store);
    bool confirmed = false;
    if (account.disconnects.contains(row.user_id))
        fail(dev_id, row.disconnect_id, text_of("confirmed, but by a webhook it is alive at a later time"));
    else
        as_definer(owner_of_tables(), [&] {
            std::vector<Query::Parameter> parameters{text_parameter(dev_id), id_parameter(row.disconnect_id)};
            for (const Query::Parameter& parameter : parameters_of(others_of(account, row.user_id)))
                parameters.push_back(parameter);
            confirm_row.run(parameters);
            confirmed = Query::rows() > 0;
        });
    connections.close();
    return BoolGetDatum(confirmed);
}

PG_FUNCTION(terra_identity_fail_disconnect) {
    begin_batch_if_called_again(fcinfo);
    const auto [dev_id, row] = row_of_arguments(argument(fcinfo, 0), argument(fcinfo, 2));
    const Datum error = required(argument(fcinfo, 1), "error").value;
    const std::optional<Micros> next = fail(dev_id, row.disconnect_id, error);
    if (!next) {
        fcinfo->isnull = true;
        return Datum{0};
    }
    return timestamptz_of(*next);
}

/// AFTER INSERT OR UPDATE OR DELETE FOR EACH ROW on `accepted_duplicates`: collects its accounts.
PG_FUNCTION(terra_identity_collect_accepted_duplicate) {
    TriggerData* const trigger = trigger_data(fcinfo, "accepted_duplicates", TRIGGER_EVENT_ROW | TRIGGER_EVENT_AFTER,
                                              any_operation, "AFTER FOR EACH ROW");
    if (accepted == nullptr)
        accepted = new std::map<std::string, std::set<Account>>;
    for (const HeapTuple row : {trigger->tg_trigtuple, trigger->tg_newtuple}) {
        if (row == nullptr)
            continue;
        const auto text = [&](AcceptedColumn column) {
            return string_of(attribute(row, trigger->tg_relation, column).value);
        };
        (*accepted)[text(accepted_dev_id)].insert({text(accepted_provider), text(accepted_provider_user_id)});
    }
    return Datum{0};
}

/// AFTER INSERT OR UPDATE OR DELETE FOR EACH STATEMENT on `accepted_duplicates`: opens and closes the disconnects of
/// the collected accounts, in the order in which all transactions lock environments and accounts.
PG_FUNCTION(terra_identity_follow_accepted_duplicates) {
    trigger_data(fcinfo, "accepted_duplicates", TRIGGER_EVENT_AFTER, any_operation, "AFTER FOR EACH STATEMENT");
    if (accepted == nullptr || accepted->empty())
        return Datum{0};
    const std::map<std::string, std::set<Account>> accounts = std::exchange(*accepted, {});
    if (accounts.size() > 1 || accounts.begin()->second.size() > 1)
        lock_batches(false);
    Table connections("connections", RowExclusiveLock);
    for (const auto& [dev_id, its_accounts] : accounts)
        follow_accepted(dev_id, its_accounts, connections);
    connections.close();
    return Datum{0};
}

} // namespace terra_identity
