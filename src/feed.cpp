// The feed for consumers: giving positions to changes, and moving consumers forward. sql/install/15_feed.sql says what
// positions are for.
//
// Why nothing appears behind a position that was read: a row gets its position from a transaction that holds the lock
// of the feed until it ends. So transactions that give positions become visible one after another, each with greater
// positions than those before, and whatever a reader sees are all positions up to some place. What a transaction that
// rolls back had given is not given again, because sequences do not roll back.
//
// Why changes of one connection keep their order: whoever changes a connection holds its lock until the end of the
// transaction, and draws change_ids only under it. So the later change has the greater change_id, and whoever sees it
// sees the earlier one, too. Positions are given in the order of change_ids.
#include "core/interrupts.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "pg/function.h"
#include "pg/index_scan.h"
#include "pg/query.h"
#include "pg/relations.h"
#include "pg/row_writer.h"
#include "pg/scratch.h"
#include "tables/ids.h"
#include "tables/locks.h"
#include "tables/owner.h"
#include "tables/progress.h"
#include "tables/readers.h"
#include "tables/routes.h"

extern "C" {
#include "access/xlog.h"
#include "tcop/utility.h"
}

namespace terra_identity {
namespace {

using namespace pg;
using namespace tables;

Query select_consumer = R"(
    SELECT c.position FROM terra_identity.consumers c WHERE c.dev_id = $1 AND c.consumer = $2)";

Query select_any_change = R"(
    SELECT FROM terra_identity.changes c WHERE c.dev_id OPERATOR(pg_catalog.=) $1 LIMIT 1)";

Query select_changes_beyond = R"(
    SELECT FROM terra_identity.changes c
    WHERE c.dev_id OPERATOR(pg_catalog.=) $1 AND c.position OPERATOR(pg_catalog.>) $2
    ORDER BY c.position LIMIT $3)";

Query select_change_at_or_after = R"(
    SELECT FROM terra_identity.changes c
    WHERE c.dev_id OPERATOR(pg_catalog.=) $1 AND c.position OPERATOR(pg_catalog.>=) $2
    ORDER BY c.position LIMIT 1)";

Query move_consumer = R"(
    INSERT INTO terra_identity.consumers AS c (dev_id, consumer, position, committed_at)
    VALUES ($1, $2, $3, clock_timestamp())
    ON CONFLICT (dev_id, consumer) DO UPDATE
        SET position = greatest(c.position, excluded.position), committed_at = excluded.committed_at
    RETURNING c.position)";

/// So many changes are given positions at once: few enough for memory, and many, because the scan for each portion goes
/// over the index entries of those before, which nobody can remove while the transaction runs.
constexpr std::size_t at_once = 20'000;

std::string consumer_argument(const NullableValue& given) {
    if (given.is_null)
        throw Error{"22004", "the name of a consumer must not be null"};
    std::string consumer = string_of(given.value);
    if (consumer.empty())
        throw Error{"22023", "the name of a consumer must not be empty"};
    return consumer;
}

/// Null n: all.
std::size_t count_argument(const NullableValue& given) {
    if (given.is_null)
        return SIZE_MAX;
    const std::int32_t n = DatumGetInt32(given.value);
    if (n < 1)
        throw Error{"22023", "n must be at least 1, not " + std::to_string(n)};
    return static_cast<std::size_t>(n);
}

/// Where positions cannot be given. At REPEATABLE READ the caller could see positions that it has given, but not those
/// that another transaction gave a moment before.
void refuse_other_transactions() {
    if (RecoveryInProgress())
        throw Error{"25006", "changes cannot be read by consumers on a standby", "",
                    "Call it on the primary: it stores the position of each change that is read for the first time."};
    call([] { PreventCommandIfReadOnly("read_changes"); });
    if (IsolationUsesXactSnapshot())
        throw Error{"0A000", "changes can be read by consumers at READ COMMITTED only", "",
                    "SET TRANSACTION ISOLATION LEVEL READ COMMITTED."};
}

/// The position of a consumer; 0 if it is new. Within `as_owner`.
std::int64_t position_of(const std::string& consumer, const std::string& dev_id) {
    const SPITupleTable* const found = select_consumer.run({text_parameter(dev_id), text_parameter(consumer)});
    return Query::rows() > 0 ? DatumGetInt64(column(found, 0, 1).value) : 0;
}

/// How many changes have a position beyond this one, of at most `most`.
std::size_t count_beyond(std::int64_t position, const std::string& dev_id, const Table& changes, std::size_t most) {
    const IndexScan scan{.table = changes.relation(), .index = "changes_position_key", .limit = most};
    IndexKeys keys;
    keys.equals(dev_id).greater_than(position);
    return scan.fetch(keys).size();
}

/// How many of them the caller sees.
std::size_t count_seen_beyond(std::int64_t position, const std::string& dev_id, std::size_t most) {
    std::size_t count = 0;
    as_caller_by_index([&] {
        select_changes_beyond.run(
            {text_parameter(dev_id), id_parameter(position), id_parameter(static_cast<std::int64_t>(most))});
        count = Query::rows();
    });
    return count;
}

/// Whether the environment has no changes for the caller, who is no reader of it: a policy of the owner may show some.
bool is_hidden(const Table& changes, const std::string& dev_id) {
    if (!readers_policy_hides(changes, dev_id))
        return false;
    bool sees_any = false;
    if (has_permissive_policy_of_owner(RelationGetRelid(changes.relation())))
        as_caller_by_index([&] {
            select_any_change.run({text_parameter(dev_id)});
            sees_any = Query::rows() > 0;
        });
    return !sees_any;
}

/// The last position of an environment; 0 if there is none.
std::int64_t last_position(const std::string& dev_id, const Table& changes) {
    const IndexScan newest{.table = changes.relation(), .index = "changes_position_key", .backward = true, .limit = 1};
    for (const HeapTuple row : newest.fetch(IndexKeys().equals(dev_id)))
        return DatumGetInt64(attribute(row, changes.columns(), change_positions.number).value);
    return 0;
}

/// Gives positions to at most `most` changes. @return to how many
std::size_t give_positions(const std::string& dev_id, const Table& changes, std::size_t most) {
    const IndexScan unread{.table = changes.relation(), .index = "changes_unread_idx", .limit = most};
    const std::vector<HeapTuple> rows = unread.fetch(IndexKeys().equals(dev_id));
    if (rows.empty())
        return 0;
    std::vector<RowWriter::Update> updates;
    updates.reserve(rows.size());
    for (const HeapTuple row : interruptible(rows)) {
        const std::int64_t position = next_id(change_positions);
        updates.push_back({row->t_self, call([&] {
                               int number = change_positions.number;
                               Datum value = Int64GetDatum(position);
                               bool is_null = false;
                               return heap_modify_tuple_by_cols(row, changes.columns(), 1, &number, &value, &is_null);
                           })});
    }
    RowWriter writer(changes);
    writer.update(updates);
    writer.finish();
    return rows.size();
}

/// Gives positions to at most `most` changes, portion by portion. @return to how many
std::size_t give_positions_in_portions(const std::string& dev_id, const Table& changes, std::size_t most) {
    ToldProgress progress("reading changes");
    progress.begin("positions given");
    const Scratch scratch;
    std::size_t given = 0;
    while (given < most) {
        check_interrupts();
        const std::size_t portion = std::min(at_once, most - given);
        std::size_t found = 0;
        scratch.run([&] { found = give_positions(dev_id, changes, portion); });
        given += found;
        progress.at(given);
        if (found < portion)
            break;
    }
    scratch.close();
    return given;
}

/// Gives positions until the caller sees `most` changes beyond this one, of whom a policy hides some.
void give_positions_until_seen(std::int64_t position, const std::string& dev_id, const Table& changes,
                               std::size_t most) {
    std::size_t seen = count_seen_beyond(position, dev_id, most);
    std::size_t portion = most;
    bool has_more = seen < most;
    if (has_more)
        as_owner(changes.owner(), [&] { has_more = lock_feed(dev_id, false); });
    while (has_more && seen < most) {
        std::int64_t before = 0;
        as_owner(changes.owner(), [&] {
            before = std::max(position, last_position(dev_id, changes));
            has_more = give_positions_in_portions(dev_id, changes, portion) == portion;
        });
        seen += count_seen_beyond(before, dev_id, most - seen);
        portion = std::min(2 * portion, at_once);
    }
}

} // namespace

/// Waits for another transaction that gives positions only if all are to have one: a reader is content with those that
/// are there.
PG_FUNCTION(terra_identity_position_changes) {
    const std::string consumer = consumer_argument(argument(fcinfo, 0));
    const std::size_t n = count_argument(argument(fcinfo, 1));
    const std::string dev_id = dev_id_argument(argument(fcinfo, 2));
    refuse_other_transactions();
    Table changes("changes", RowExclusiveLock);
    std::int64_t read_up_to = 0;
    if (is_hidden(changes, dev_id)) {
        changes.close();
        return Int64GetDatum(0);
    }
    const bool all = n == SIZE_MAX, sees_all = all || caller_reads(changes, dev_id);
    as_owner(changes.owner(), [&] {
        read_up_to = position_of(consumer, dev_id);
        if (!sees_all)
            return;
        const std::size_t there = all ? 0 : count_beyond(read_up_to, dev_id, changes, n);
        if (there < n && lock_feed(dev_id, all))
            give_positions_in_portions(dev_id, changes, n - there);
    });
    if (!sees_all)
        give_positions_until_seen(read_up_to, dev_id, changes, n);
    changes.close();
    return Int64GetDatum(read_up_to);
}

PG_FUNCTION(terra_identity_commit_changes) {
    const std::string consumer = consumer_argument(argument(fcinfo, 0));
    const NullableValue up_to = argument(fcinfo, 1);
    if (up_to.is_null)
        throw Error{"22004", "the position must not be null"};
    const std::int64_t position = DatumGetInt64(up_to.value);
    const std::string dev_id = dev_id_argument(argument(fcinfo, 2));
    bool is_seen = false;
    as_caller_by_index([&] {
        select_change_at_or_after.run({text_parameter(dev_id), id_parameter(position)});
        is_seen = Query::rows() > 0;
    });
    std::int64_t result = 0;
    Table changes("changes", AccessShareLock);
    const bool hidden = is_hidden(changes, dev_id);
    changes.close();
    if (hidden && position <= 0)
        return Int64GetDatum(0);
    as_owner(owner_of_tables(), [&] {
        // Whoever cannot see the changes cannot have read them.
        if (hidden || (!is_seen && position > position_of(consumer, dev_id)))
            throw Error{"22023", "no change of the environment has position " + std::to_string(position), "",
                        "Give the position of the last row that read_changes returned, after its transaction has "
                        "been committed."};
        const SPITupleTable* const moved =
            move_consumer.run({text_parameter(dev_id), text_parameter(consumer), id_parameter(position)});
        result = DatumGetInt64(column(moved, 0, 1).value);
    });
    return Int64GetDatum(result);
}

} // namespace terra_identity
