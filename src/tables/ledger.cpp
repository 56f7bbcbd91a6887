#include "tables/ledger.h"

#include "core/correction.h"
#include "core/event_reader.h"
#include "core/headers.h"

#include <array>
#include <vector>

#include "pg/jsonb.h"

namespace terra_identity::tables {

using namespace pg;

namespace {

constexpr char select_events[] = R"(
    SELECT e.received_at, e.payload, e.headers, e.corrected_by IS NOT NULL FROM terra_identity.events e
    WHERE e.dev_id = $1 ORDER BY e.event_id)";

constexpr long fetch_rows = 1000;

Event event_of(HeapTuple row, TupleDesc columns) {
    std::array<Datum, 4> values{};
    std::array<bool, 4> nulls{};
    heap_deform_tuple(row, columns, values.data(), nulls.data());
    return tables::event_of(values[0], values[1], {values[2], nulls[2]}, DatumGetBool(values[3]));
}

} // namespace

Event event_of(Datum received_at, Datum payload, const NullableValue& headers, bool is_correction) {
    const Micros received = micros_of(received_at);
    if (is_correction)
        return read_correction(JsonbView(detoasted_jsonb(payload)), received);
    return read_event(JsonbView(detoasted_jsonb(payload)), read_headers(view_of(headers), received), received);
}

Fold fold_ledger(const std::string& dev_id, Reads reads) {
    Datum parameter = text_of(dev_id);
    const Portal portal = call([&] {
        Oid type = TEXTOID;
        PushActiveSnapshot(pg::raising::snapshot_of(reads));
        const Portal opened = SPI_cursor_open_with_args(nullptr, select_events, 1, &type, &parameter, nullptr, true, 0);
        PopActiveSnapshot();
        return opened;
    });
    Fold fold;
    while (true) {
        check_for_interrupts();
        call([&] { SPI_cursor_fetch(portal, true, fetch_rows); });
        SPITupleTable* const table = SPI_tuptable;
        if (table->numvals == 0)
            break;
        const MemoryContext rows =
            call([] { return AllocSetContextCreate(CurrentMemoryContext, "ledger rows", ALLOCSET_DEFAULT_SIZES); });
        const MemoryContext outer = MemoryContextSwitchTo(rows);
        std::vector<Event> events;
        events.reserve(table->numvals);
        for (std::uint64_t i = 0; i < table->numvals; ++i)
            events.push_back(event_of(table->vals[i], table->tupdesc));
        MemoryContextSwitchTo(outer);
        fold.add(events);
        call([&] {
            MemoryContextDelete(rows);
            SPI_freetuptable(table);
        });
    }
    call([portal] { SPI_cursor_close(portal); });
    return fold;
}

} // namespace terra_identity::tables
