// Tables of the application that feed the ledger: the trigger that attach() makes, and the rows that are there already.
#include "core/headers.h"
#include "core/json_tree.h"
#include "core/text.h"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pg/function.h"
#include "pg/json_input.h"
#include "pg/jsonb.h"
#include "pg/query.h"
#include "pg/result_rows.h"
#include "pg/trigger.h"
#include "pg/versions.h"
#include "receive.h"
#include "tables/locks.h"
#include "tables/owner.h"
#include "tables/progress.h"
#include "tables/routes.h"
#include "tables/settings.h"

extern "C" {
#include "utils/datum.h"
#include "utils/queryenvironment.h"
#include "utils/rls.h"
}

namespace terra_identity {
namespace {

using namespace pg;
using namespace tables;

/// The rows that are fed, as the ephemeral table `fed`. An event without a trace id gets the one made from its row.
Query insert_fed = R"(
    INSERT INTO terra_identity.events (dev_id, received_at, payload, headers)
    SELECT f.dev_id, f.received_at, f.payload,
           CASE WHEN f.trace_id IS NULL THEN f.headers
                ELSE coalesce(f.headers, '{}') || pg_catalog.jsonb_build_object('x-terra-trace-id', f.trace_id) END
    FROM fed f)";

/// A statement is inserted into the ledger in parts of at most so many rows, which end after so many bytes, so that
/// they need no temporary file.
constexpr int part_rows = 10'000;
constexpr std::size_t part_bytes = std::size_t{16} << 20;

/// Which columns are fed, by their numbers; 0: none.
struct FedColumns {
    int payload = 0;
    int headers = 0;
    int dev_id = 0;
    int received_at = 0;
    std::vector<int> key; ///< the primary key's

    int* named(std::string_view role) {
        if (role == "payload")
            return &payload;
        if (role == "headers")
            return &headers;
        if (role == "dev_id")
            return &dev_id;
        return role == "received_at" ? &received_at : nullptr;
    }
};

namespace raising {

/// The columns of the ephemeral table `fed`, in their order.
TupleDesc fed_columns() {
    List* names = NIL;
    for (const char* name : {"dev_id", "received_at", "payload", "headers", "trace_id"})
        names = lappend(names, makeString(pstrdup(name)));
    List* types = NIL;
    List* modifiers = NIL;
    List* collations = NIL;
    for (const Oid type : {TEXTOID, TIMESTAMPTZOID, JSONBOID, JSONBOID, TEXTOID}) {
        types = lappend_oid(types, type);
        modifiers = lappend_int(modifiers, -1);
        collations = lappend_oid(collations, get_typcollation(type));
    }
    return BuildDescFromLists(names, types, modifiers, collations);
}

void register_fed(Tuplestorestate* rows, TupleDesc columns) {
    auto* const relation = static_cast<EphemeralNamedRelation>(palloc0(sizeof(EphemeralNamedRelationData)));
    relation->md.name = pstrdup("fed");
    relation->md.tupdesc = columns;
    relation->md.enrtype = ENR_NAMED_TUPLESTORE;
    relation->md.enrtuples = static_cast<double>(tuplestore_tuple_count(rows));
    relation->reldata = rows;
    if (const int code = SPI_register_relation(relation); code != SPI_OK_REL_REGISTER)
        elog(ERROR, "could not register the rows of an attached table: %s", SPI_result_code_string(code));
}

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

/// The value as its type writes it, which its type can read, whatever the settings of the session are.
char* text_to_read(Datum value, Oid type) {
    const int nest_level = NewGUCNestLevel();
    const auto set = [](const char* name, const char* setting) {
        set_config_option(name, setting, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
    };
    set("datestyle", "ISO");
    set("intervalstyle", "postgres");
    set("extra_float_digits", "3");
    set("bytea_output", "hex");
    Oid function = InvalidOid;
    bool is_varlena = false;
    getTypeOutputInfo(type, &function, &is_varlena);
    char* const text = OidOutputFunctionCall(function, value);
    AtEOXact_GUC(true, nest_level);
    return text;
}

/// The value as text that is the same in every session.
char* key_text(Datum value, Oid type) {
    switch (getBaseType(type)) {
    case INT8OID:
        return psprintf(INT64_FORMAT, DatumGetInt64(value));
    case INT4OID:
        return psprintf("%d", DatumGetInt32(value));
    case TEXTOID:
    case VARCHAROID:
        return TextDatumGetCString(value);
    case TIMESTAMPOID:
    case TIMESTAMPTZOID: // in which the time zone of the session would show
        return psprintf(INT64_FORMAT, DatumGetInt64(value));
    default:
        return text_to_read(value, type);
    }
}

} // namespace raising

/// Takes the rows of an attached table, and inserts them into the ledger, set by set. What cannot be an event is
/// kept in `rejected`: the INSERT of the application never fails because of what its row holds.
class Feed {
public:
    /// @param source names the table in the trace ids that are made from its rows
    Feed(TupleDesc columns, FedColumns fed, std::string source)
        : columns_(columns), fed_(std::move(fed)), source_(std::move(source)) {
        call([this] {
            fed_rows_columns_ = raising::fed_columns();
            rows_ = tuplestore_begin_heap(false, false, std::max<int>(work_mem, 4 * part_bytes / 1024));
            row_context_ = AllocSetContextCreate(CurrentMemoryContext, "terra_identity row", ALLOCSET_DEFAULT_SIZES);
        });
    }

    void add(TupleTableSlot* slot) {
        const MemoryContext caller = MemoryContextSwitchTo(row_context_);
        call([slot] { slot_getallattrs(slot); });
        if (const NullableValue payload = value(slot, fed_.payload); !payload.is_null)
            add(slot, payload);
        MemoryContextSwitchTo(caller);
        call([this] { MemoryContextReset(row_context_); });
        check_for_interrupts();
    }

    void finish() {
        if (first_rejected_)
            keep(*first_rejected_);
        insert_part();
        call([this] {
            tuplestore_end(rows_);
            MemoryContextDelete(row_context_);
        });
    }

private:
    struct Rejected {
        Delivery delivery;
        std::optional<std::string> trace_id;
        std::string reason;
    };

    void insert_part() {
        if (tuplestore_tuple_count(rows_) == 0)
            return;
        as_definer(owner_of_tables(), [this] {
            call([this] { raising::register_fed(rows_, fed_rows_columns_); });
            insert_fed.run({});
        });
        call([this] { tuplestore_clear(rows_); });
        bytes_ = 0;
    }

    /// Several statements that insert into the ledger take locks in an order that another batch may not share.
    void become_batch() {
        if (!std::exchange(is_batch_, true))
            begin_batch();
    }

    static NullableValue value(TupleTableSlot* slot, int number) {
        return number == 0 ? NullableValue()
                           : NullableValue(slot->tts_values[number - 1], slot->tts_isnull[number - 1]);
    }

    Oid type_of(int number) const {
        return call([type = TupleDescAttr(columns_, number - 1)->atttypid] { return getBaseType(type); });
    }

    void add(TupleTableSlot* slot, const NullableValue& payload) {
        JsonInput body = json_in(payload, fed_.payload, "the body");
        JsonInput headers = headers_in(value(slot, fed_.headers));
        if (body.problem.empty() && !headers.problem.empty())
            body.problem = "the headers: " + headers.problem;
        const NullableValue given_headers = headers.jsonb == 0 ? NullableValue() : NullableValue(headers.jsonb);
        const TimestampTz received_at = received_at_in(value(slot, fed_.received_at));
        const Headers read = read_headers(view_of(given_headers), nearest_micros_of(TimestampTzGetDatum(received_at)));
        NullableValue dev_id = value(slot, fed_.dev_id);
        if (!dev_id.is_null && trim(bytes_of(dev_id.value)).empty())
            dev_id = {};
        std::optional<std::string> made_trace_id;
        // An unreadable trace id is a problem of the event, which another one must not hide.
        if (!read.trace_id && read.problem.empty() && !fed_.key.empty())
            made_trace_id = trace_id_of(slot);
        if (body.problem.empty())
            body.problem = problem_under_strict(body.jsonb, read, nearest_micros_of(TimestampTzGetDatum(received_at)));
        if (!body.problem.empty())
            return keep_rejected(
                {.dev_id = route_of(dev_id, read.dev_id).dev_id,
                 .received_at = received_at,
                 .body = body_of(payload),
                 .headers = made_trace_id ? with_trace_id(given_headers, *made_trace_id) : given_headers,
                 .by_header = dev_id.is_null},
                made_trace_id ? made_trace_id : read.trace_id, std::move(body.problem));
        const NullableValue trace_id(made_trace_id);
        std::array<Datum, 5> values{dev_id.value, TimestampTzGetDatum(received_at), body.jsonb, given_headers.value,
                                    trace_id.value};
        std::array<bool, 5> nulls{dev_id.is_null, false, false, given_headers.is_null, trace_id.is_null};
        if (tuplestore_tuple_count(rows_) >= part_rows || bytes_ >= part_bytes) {
            become_batch();
            insert_part();
        }
        call([&] { tuplestore_putvalues(rows_, fed_rows_columns_, values.data(), nulls.data()); });
        for (std::size_t i = 0; i < values.size(); ++i)
            if (!nulls[i] && i != 1)
                bytes_ += VARSIZE_ANY(DatumGetPointer(values[i]));
    }

    JsonInput json_in(const NullableValue& given, int number, const char* what) const {
        if (type_of(number) == JSONBOID)
            return {.jsonb = given.value, .problem = {}};
        const std::string_view bytes = bytes_of(given.value);
        if (bytes.size() > max_body_bytes)
            return {.problem = std::string(what) + " is larger than 500 MB"};
        return read_jsonb(bytes, what);
    }

    /// Null if they are none. What is no object has no header.
    JsonInput headers_in(const NullableValue& given) const {
        JsonInput headers;
        if (given.is_null || (type_of(fed_.headers) != JSONBOID && trim(bytes_of(given.value)).empty()))
            return headers;
        headers = json_in(given, fed_.headers, "it");
        if (!headers.problem.empty() || !JsonbView(detoasted_jsonb(headers.jsonb)).is_object())
            headers.jsonb = 0;
        return headers;
    }

    TimestampTz received_at_in(const NullableValue& given) const {
        if (given.is_null)
            return GetCurrentTimestamp();
        if (type_of(fed_.received_at) == TIMESTAMPTZOID)
            return DatumGetTimestampTz(given.value);
        return call([&] { return DatumGetTimestampTz(DirectFunctionCall1(timestamp_timestamptz, given.value)); });
    }

    /// The same for a row whenever it is fed, so that it is fed only once.
    std::string trace_id_of(TupleTableSlot* slot) const {
        std::string result = "attached " + source_ + " (";
        for (const int number : fed_.key) {
            if (number != fed_.key.front())
                result += ',';
            const NullableValue part = value(slot, number);
            const std::string_view text = call([&] {
                return std::string_view(raising::key_text(part.value, TupleDescAttr(columns_, number - 1)->atttypid));
            });
            for (const char c : text) {
                if (c == ',' || c == '\\')
                    result += '\\';
                result += c;
            }
        }
        result += ')';
        if (result.size() <= max_id_bytes)
            return result;
        const auto hash = [&result](std::uint64_t seed) {
            return std::to_string(hash_bytes_extended(reinterpret_cast<const unsigned char*>(result.data()),
                                                      static_cast<int>(result.size()), seed));
        };
        return "attached " + source_ + " #" + hash(0) + hash(1);
    }

    static NullableValue with_trace_id(const NullableValue& headers, const std::string& trace_id) {
        std::string text = JsonTree{{"x-terra-trace-id", trace_id}}.dump();
        if (!headers.is_null) {
            const std::string_view present = call([jsonb = detoasted_jsonb(headers.value)] {
                return std::string_view(JsonbToCString(nullptr, const_cast<JsonbContainer*>(&jsonb->root), 0));
            });
            if (present != "{}")
                text = std::string(present.substr(0, present.size() - 1)) + "," + text.substr(1);
        }
        return read_jsonb(text).jsonb;
    }

    /// The payload as the bytes of a body.
    Datum body_of(const NullableValue& payload) const {
        if (type_of(fed_.payload) != JSONBOID)
            return detoasted(payload.value);
        return call([jsonb = detoasted_jsonb(payload.value)] {
            return PointerGetDatum(
                cstring_to_text(JsonbToCString(nullptr, const_cast<JsonbContainer*>(&jsonb->root), 0)));
        });
    }

    void keep_rejected(Delivery delivery, std::optional<std::string> trace_id, std::string reason) {
        if (bytes_of(delivery.body).size() > max_body_bytes)
            return call([source = source_.c_str()] {
                ereport(WARNING, (errmsg("a row of attached table %s is not kept in terra_identity.rejected", source),
                                  errdetail("Its body is larger than 500 MB.")));
            });
        Rejected rejected{std::move(delivery), std::move(trace_id), std::move(reason)};
        if (first_rejected_)
            become_batch();
        if (is_batch_) {
            if (first_rejected_)
                keep(*std::exchange(first_rejected_, std::nullopt));
            return keep(rejected);
        }
        const MemoryContext row = MemoryContextSwitchTo(MemoryContextGetParent(row_context_));
        const auto copy = [](Datum value) { return call([value] { return datumCopy(value, false, -1); }); };
        rejected.delivery.body = copy(rejected.delivery.body);
        if (!rejected.delivery.headers.is_null)
            rejected.delivery.headers = copy(rejected.delivery.headers.value);
        first_rejected_ = std::move(rejected);
        MemoryContextSwitchTo(row);
    }

    static void keep(const Rejected& rejected) { reject(rejected.delivery, rejected.trace_id, rejected.reason); }

    TupleDesc columns_;
    FedColumns fed_;
    std::string source_;
    TupleDesc fed_rows_columns_ = nullptr;
    Tuplestorestate* rows_ = nullptr;
    MemoryContext row_context_ = nullptr;
    std::size_t bytes_ = 0; ///< in rows_
    bool is_batch_ = false;
    /// It waits until it is known whether there are others: who rejects several is a batch, too.
    std::optional<Rejected> first_rejected_;
};

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

void feed_transition_table(Feed& feed, const TriggerData* trigger) {
    Tuplestorestate* const rows = trigger->tg_newtable;
    TupleTableSlot* const slot =
        call([=] { return MakeSingleTupleTableSlot(RelationGetDescr(trigger->tg_relation), &TTSOpsMinimalTuple); });
    const int pointer = call([=] { return tuplestore_alloc_read_pointer(rows, EXEC_FLAG_REWIND); });
    call([=] {
        tuplestore_select_read_pointer(rows, pointer);
        tuplestore_rescan(rows);
    });
    while (call([=] {
        tuplestore_select_read_pointer(rows, pointer);
        return tuplestore_gettupleslot(rows, true, false, slot);
    }))
        feed.add(slot);
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
        key.emplace_back(call([=, value = attribute(row, columns, column).value] {
            return raising::text_to_read(value, TupleDescAttr(columns, column - 1)->atttypid);
        }));
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
        Feed feed(RelationGetDescr(table), columns_of(table, trigger->tg_trigger), trigger->tg_trigger->tgargs[1]);
        if (is_row)
            feed.add(trigger->tg_trigslot);
        else
            feed_transition_table(feed, trigger);
        feed.finish();
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
        std::optional<Feed> feed;
        call([] { SPI_connect(); });
        const Portal rows = call([text = query.c_str()] {
            const SPIPlanPtr plan = SPI_prepare(text, 0, nullptr);
            if (plan == nullptr)
                elog(ERROR, "could not prepare a query: %s", SPI_result_code_string(SPI_result));
            return SPI_cursor_open(nullptr, plan, nullptr, nullptr, false);
        });
        TupleTableSlot* const slot =
            call([=] { return MakeSingleTupleTableSlot(CreateTupleDescCopy(rows->tupDesc), &TTSOpsHeapTuple); });
        const TupleDesc columns = slot->tts_tupleDescriptor;
        const FedColumns fed = columns_of_result(columns);
        feed.emplace(columns, fed, source);
        while (true) {
            call([=] { SPI_cursor_fetch(rows, true, fetched_at_once); });
            SPITupleTable* const fetched = SPI_tuptable;
            const std::uint64_t number = SPI_processed;
            for (std::uint64_t i = 0; i < number; ++i) {
                call([=] { ExecStoreHeapTuple(fetched->vals[i], slot, false); });
                feed->add(slot);
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
        call([=] { SPI_cursor_close(rows); });
        feed->finish();
        call([=] {
            ExecDropSingleTupleTableSlot(slot);
            SPI_finish();
        });
    });
    MemoryContextSwitchTo(caller);
    return result_row(fcinfo, {Int64GetDatum(count), {text_array_of(last_key), count == 0}});
}

} // namespace terra_identity
