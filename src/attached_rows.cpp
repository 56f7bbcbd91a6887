#include "attached_rows.h"

#include "core/headers.h"
#include "core/json_tree.h"
#include "core/text.h"

#include <algorithm>
#include <array>
#include <utility>

#include "pg/function.h"
#include "pg/jsonb.h"
#include "pg/query.h"
#include "tables/locks.h"
#include "tables/owner.h"
#include "tables/routes.h"

extern "C" {
#include "utils/datum.h"
#include "utils/queryenvironment.h"
}

namespace terra_identity {

using namespace pg;
using namespace tables;

namespace {

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

} // namespace raising

TupleDesc fed_columns() {
    return call([] { return raising::fed_columns(); });
}

void register_fed(Tuplestorestate* rows, TupleDesc columns) {
    call([=] { raising::register_fed(rows, columns); });
}

/// The value as text that is the same in every session.
std::string key_text(Datum value, Oid type) {
    switch (call([type] { return getBaseType(type); })) {
    case INT8OID:
        return std::to_string(DatumGetInt64(value));
    case INT4OID:
        return std::to_string(DatumGetInt32(value));
    case TEXTOID:
    case VARCHAROID:
        return string_of(value);
    case TIMESTAMPOID:
    case TIMESTAMPTZOID: // in which the time zone of the session would show
        return std::to_string(DatumGetInt64(value));
    default:
        return text_to_read(value, type);
    }
}

NullableValue value(TupleTableSlot* slot, int number) {
    return number == 0 ? NullableValue() : NullableValue(slot->tts_values[number - 1], slot->tts_isnull[number - 1]);
}

NullableValue with_trace_id(const NullableValue& headers, const std::string& trace_id) {
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

} // namespace

AttachedRows::AttachedRows(TupleDesc columns, FedColumns fed, std::string source)
    : columns_(columns), fed_(std::move(fed)), source_(std::move(source)) {
    fed_rows_columns_ = fed_columns();
    call([this] {
        rows_ = tuplestore_begin_heap(false, false, std::max<int>(work_mem, 4 * part_bytes / 1024));
        row_context_ = AllocSetContextCreate(CurrentMemoryContext, "terra_identity row", ALLOCSET_DEFAULT_SIZES);
    });
}

void AttachedRows::add(TupleTableSlot* slot) {
    const MemoryContext caller = MemoryContextSwitchTo(row_context_);
    call([slot] { slot_getallattrs(slot); });
    if (const NullableValue payload = value(slot, fed_.payload); !payload.is_null)
        add(slot, payload);
    MemoryContextSwitchTo(caller);
    call([this] { MemoryContextReset(row_context_); });
    check_for_interrupts();
}

void AttachedRows::finish() {
    if (first_rejected_)
        keep(*first_rejected_);
    insert_part();
    call([this] {
        tuplestore_end(rows_);
        MemoryContextDelete(row_context_);
    });
}

void AttachedRows::insert_part() {
    if (tuplestore_tuple_count(rows_) == 0)
        return;
    as_definer(owner_of_tables(), [this] {
        register_fed(rows_, fed_rows_columns_);
        insert_fed.run({});
    });
    call([this] { tuplestore_clear(rows_); });
    bytes_ = 0;
}

/// Several statements that insert into the ledger take locks in an order that another batch may not share.
void AttachedRows::become_batch() {
    if (!std::exchange(is_batch_, true))
        begin_batch();
}

Oid AttachedRows::type_of(int number) const {
    return call([type = TupleDescAttr(columns_, number - 1)->atttypid] { return getBaseType(type); });
}

void AttachedRows::add(TupleTableSlot* slot, const NullableValue& payload) {
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
        return keep_rejected({.dev_id = route_of(dev_id, read.dev_id).dev_id,
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

JsonInput AttachedRows::json_in(const NullableValue& given, int number, const char* what) const {
    if (type_of(number) == JSONBOID)
        return {.jsonb = given.value, .problem = {}};
    const std::string_view bytes = bytes_of(given.value);
    if (bytes.size() > max_body_bytes)
        return {.problem = std::string(what) + " is larger than 500 MB"};
    return read_jsonb(bytes, what);
}

/// Null if they are none. What is no object has no header.
JsonInput AttachedRows::headers_in(const NullableValue& given) const {
    JsonInput headers;
    if (given.is_null || (type_of(fed_.headers) != JSONBOID && trim(bytes_of(given.value)).empty()))
        return headers;
    headers = json_in(given, fed_.headers, "it");
    if (!headers.problem.empty() || !JsonbView(detoasted_jsonb(headers.jsonb)).is_object())
        headers.jsonb = 0;
    return headers;
}

TimestampTz AttachedRows::received_at_in(const NullableValue& given) const {
    if (given.is_null)
        return GetCurrentTimestamp();
    if (type_of(fed_.received_at) == TIMESTAMPTZOID)
        return DatumGetTimestampTz(given.value);
    return call([&] { return DatumGetTimestampTz(DirectFunctionCall1(timestamp_timestamptz, given.value)); });
}

/// The same for a row whenever it is fed, so that it is fed only once.
std::string AttachedRows::trace_id_of(TupleTableSlot* slot) const {
    std::string result = "attached " + source_ + " (";
    for (const int number : fed_.key) {
        if (number != fed_.key.front())
            result += ',';
        for (const char c : key_text(value(slot, number).value, TupleDescAttr(columns_, number - 1)->atttypid)) {
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

/// The payload as the bytes of a body.
Datum AttachedRows::body_of(const NullableValue& payload) const {
    if (type_of(fed_.payload) != JSONBOID)
        return detoasted(payload.value);
    return call([jsonb = detoasted_jsonb(payload.value)] {
        return PointerGetDatum(cstring_to_text(JsonbToCString(nullptr, const_cast<JsonbContainer*>(&jsonb->root), 0)));
    });
}

void AttachedRows::keep_rejected(Delivery delivery, std::optional<std::string> trace_id, std::string reason) {
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

void AttachedRows::keep(const Rejected& rejected) { reject(rejected.delivery, rejected.trace_id, rejected.reason); }

} // namespace terra_identity
