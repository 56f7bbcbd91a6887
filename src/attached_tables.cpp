// Tables of the application that feed the ledger: the trigger that attach() makes, and the rows that are there already.
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "attached_rows.h"
#include "pg/function.h"
#include "pg/query.h"
#include "pg/result_rows.h"
#include "pg/trigger.h"
#include "pg/versions.h"
#include "tables/locks.h"
#include "tables/progress.h"
#include "tables/settings.h"

extern "C" {
#include "utils/rls.h"
}

namespace terra_identity {
namespace {

using namespace pg;
using namespace tables;

namespace raising {

/// The columns of the primary key, in its order; none if there is none. @param of_parent only a primary key that is
/// part of the partitioned table's, because others are not unique there @param numbers room for INDEX_MAX_KEYS
int primary_key_of(Relation table, bool of_parent, int* numbers) {
    int count = 0;
    ListCell* cell;
    foreach (cell, RelationGetIndexList(table)) {
        const Relation index = index_open(lfirst_oid(cell), AccessShareLock);
        if (index->rd_index->indisprimary && (index->rd_rel->relispartition || !of_parent))
            for (count = 0; count < index->rd_index->indnkeyatts; ++count)
                numbers[count] = index->rd_index->indkey.values[count];
        index_close(index, AccessShareLock);
        if (count > 0)
            break;
    }
    return count;
}

} // namespace raising

/// Runs body with another default environment.
template <class Body>
void with_default_environment(const std::string& dev_id, Body&& body) {
    // What this sets is set back by the abort if the body throws.
    const int nest_level = call([name = dev_id.c_str()] {
        const int level = NewGUCNestLevel();
        set_config_option("terra_identity.dev_id", name, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
        return level;
    });
    body();
    call([nest_level] { AtEOXact_GUC(true, nest_level); });
}

/// The columns that the table's other trigger of the same function names: a list in its UPDATE OF, which follows when a
/// column is renamed and keeps it from being dropped, and what each column is in the trigger's arguments.
FedColumns columns_of(Relation table, const Trigger* feeding) {
    FedColumns fed;
    for (int i = 0; table->trigdesc != nullptr && i < table->trigdesc->numtriggers; ++i) {
        const Trigger& trigger = table->trigdesc->triggers[i];
        if (trigger.tgfoid != feeding->tgfoid || trigger.tgnattr != trigger.tgnargs)
            continue;
        for (int column = 0; column < trigger.tgnattr; ++column)
            if (int* const number = fed.named(trigger.tgargs[column]))
                *number = trigger.tgattr[column];
    }
    if (fed.payload == 0)
        throw Error{"55000",
                    std::string("table \"") + RelationGetRelationName(table) +
                        "\" is attached, but the trigger that names its columns is missing",
                    "Nothing of it can be fed.",
                    "Call terra_identity.detach for the table, and terra_identity.attach again."};
    std::array<int, INDEX_MAX_KEYS> numbers{};
    const int count = call([&] { return raising::primary_key_of(table, feeding->tgisclone, numbers.data()); });
    fed.key.assign(numbers.begin(), numbers.begin() + count);
    return fed;
}

/// Whether a dump is being restored: its rows are in the dump of the ledger, too. These two settings are what the
/// scripts of pg_dump, and pg_restore, begin with; no application has both.
bool is_restoring() { return !check_function_bodies && !row_security; }

void feed_transition_table(AttachedRows& rows, const TriggerData* trigger) {
    Tuplestorestate* const inserted = trigger->tg_newtable;
    TupleTableSlot* const slot =
        call([=] { return MakeSingleTupleTableSlot(RelationGetDescr(trigger->tg_relation), &TTSOpsMinimalTuple); });
    const int pointer = call([=] { return tuplestore_alloc_read_pointer(inserted, EXEC_FLAG_REWIND); });
    call([=] {
        tuplestore_select_read_pointer(inserted, pointer);
        tuplestore_rescan(inserted);
    });
    while (call([=] {
        tuplestore_select_read_pointer(inserted, pointer);
        return tuplestore_gettupleslot(inserted, true, false, slot);
    }))
        rows.add(slot);
    call([=] { ExecDropSingleTupleTableSlot(slot); });
}

/// The columns of a query's result, by their names: payload, headers, dev_id, received_at, key1, key2 and so on.
FedColumns columns_of_result(TupleDesc columns) {
    FedColumns fed;
    for (int number = 1; number <= columns->natts; ++number) {
        if (int* const found = fed.named(NameStr(TupleDescAttr(columns, number - 1)->attname)))
            *found = number;
        else
            fed.key.push_back(number);
    }
    return fed;
}

/// The progress of the backfill that the session runs: it goes on from batch to batch.
ToldProgress& progress_of(const std::string& source, std::int64_t done, std::int64_t expected) {
    static std::unique_ptr<ToldProgress> progress;
    if (done == 0 || !progress) {
        progress = std::make_unique<ToldProgress>("backfill of " + source);
        progress->begin("rows", expected > 0 ? std::optional(static_cast<std::uint64_t>(expected)) : std::nullopt);
    }
    return *progress;
}

/// Its values as text that the next batch's query can read.
std::vector<std::string> key_of(HeapTuple row, TupleDesc columns, const FedColumns& fed) {
    std::vector<std::string> key;
    for (const int column : fed.key)
        key.push_back(
            text_to_read(attribute(row, columns, column).value, TupleDescAttr(columns, column - 1)->atttypid));
    return key;
}

} // namespace

/// AFTER INSERT on a table of the application, for each statement with a transition table, or for each row. Arguments:
/// the environment that the setting `terra_identity.dev_id` would name, and the name of the table when it was attached.
PG_FUNCTION(terra_identity_feed) {
    const TriggerData* const trigger = trigger_data_after_insert(fcinfo);
    if (is_restoring())
        return Datum{0};
    if (trigger->tg_trigger->tgnargs != 2)
        throw Error{"22023", "the trigger that feeds the ledger needs two arguments", "",
                    "Call terra_identity.attach to make it."};
    const Relation table = trigger->tg_relation;
    const bool is_row = TRIGGER_FIRED_FOR_ROW(trigger->tg_event);
    if (is_row && !keeps_batches_out())
        begin_batch_if_called_again(fcinfo);
    with_default_environment(trigger->tg_trigger->tgargs[0], [&] {
        AttachedRows rows(RelationGetDescr(table), columns_of(table, trigger->tg_trigger),
                          trigger->tg_trigger->tgargs[1]);
        if (is_row)
            rows.add(trigger->tg_trigslot);
        else
            feed_transition_table(rows, trigger);
        rows.finish();
    });
    return Datum{0};
}

/// _feed_rows(query, environment, source, done, expected, OUT fed, OUT last_key): feeds the rows of a query, with the
/// caller's rights. Of a backfill, `done` are the rows of earlier batches, and `expected` those of all batches, 0 if
/// unknown.
PG_FUNCTION(terra_identity_feed_rows) {
    const std::string query = string_of(PG_GETARG_DATUM(0));
    const std::string dev_id = string_of(PG_GETARG_DATUM(1));
    const std::string source = string_of(PG_GETARG_DATUM(2));
    const std::int64_t done = PG_GETARG_INT64(3);
    ToldProgress& progress = progress_of(source, done, PG_GETARG_INT64(4));
    std::int64_t count = 0;
    std::vector<std::string> last_key;
    constexpr long fetched_at_once = 100;
    const MemoryContext caller = CurrentMemoryContext;
    with_default_environment(dev_id, [&] {
        std::optional<AttachedRows> rows;
        call([] { SPI_connect(); });
        const Portal portal = call([text = query.c_str()] {
            const SPIPlanPtr plan = SPI_prepare(text, 0, nullptr);
            if (plan == nullptr)
                elog(ERROR, "could not prepare a query: %s", SPI_result_code_string(SPI_result));
            return SPI_cursor_open(nullptr, plan, nullptr, nullptr, false);
        });
        TupleTableSlot* const slot =
            call([=] { return MakeSingleTupleTableSlot(CreateTupleDescCopy(portal->tupDesc), &TTSOpsHeapTuple); });
        const TupleDesc columns = slot->tts_tupleDescriptor;
        const FedColumns fed = columns_of_result(columns);
        rows.emplace(columns, fed, source);
        while (true) {
            call([=] { SPI_cursor_fetch(portal, true, fetched_at_once); });
            SPITupleTable* const fetched = SPI_tuptable;
            const std::uint64_t number = SPI_processed;
            for (std::uint64_t i = 0; i < number; ++i) {
                call([=] { ExecStoreHeapTuple(fetched->vals[i], slot, false); });
                rows->add(slot);
                progress.at(static_cast<std::uint64_t>(done + ++count));
            }
            if (number > 0)
                last_key = key_of(fetched->vals[number - 1], columns, fed);
            call([=] {
                ExecClearTuple(slot);
                SPI_freetuptable(fetched);
            });
            if (number < fetched_at_once)
                break;
        }
        call([=] { SPI_cursor_close(portal); });
        rows->finish();
        call([=] {
            ExecDropSingleTupleTableSlot(slot);
            SPI_finish();
        });
    });
    MemoryContextSwitchTo(caller);
    return result_row(fcinfo, {Int64GetDatum(count), {text_array_of(last_key), count == 0}});
}

} // namespace terra_identity
