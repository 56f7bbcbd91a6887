#include "tables/ledger.h"

#include "core/entered.h"
#include "core/event_reader.h"
#include "core/headers.h"

#include <array>
#include <optional>
#include <vector>

#include "pg/jsonb.h"
#include "pg/scratch.h"

namespace terra_identity::tables {

using namespace pg;

namespace {

constexpr char select_events[] = R"(
    SELECT e.received_at, e.payload, e.headers, e.entered_by IS NOT NULL, e.event_id FROM terra_identity.events e
    WHERE e.dev_id = $1 ORDER BY e.event_id)";

Query select_last_event_id = R"(
    SELECT e.event_id FROM terra_identity.events e WHERE e.dev_id = $1 ORDER BY e.event_id DESC LIMIT 1)";

constexpr long fetch_rows = 1000;

constexpr int event_id_column = 5;

Event event_of(HeapTuple row, TupleDesc columns) {
    std::array<Datum, event_id_column> values{};
    std::array<bool, event_id_column> nulls{};
    heap_deform_tuple(row, columns, values.data(), nulls.data());
    return tables::event_of(values[0], values[1], {values[2], nulls[2]}, DatumGetBool(values[3]));
}

} // namespace

Event event_of(Datum received_at, Datum payload, const NullableValue& headers, bool is_entered) {
    const Micros received = micros_of(received_at);
    if (is_entered)
        return read_entered(JsonbView(detoasted_jsonb(payload)), received);
    return read_event(JsonbView(detoasted_jsonb(payload)), read_headers(view_of(headers), received), received);
}

Fold fold_ledger(const std::string& dev_id, Reads reads, ToldProgress& progress) {
    const SPITupleTable* const last = select_last_event_id.run({text_parameter(dev_id)}, reads);
    const std::int64_t last_id = Query::rows() > 0 ? DatumGetInt64(column(last, 0, 1).value) : 0;
    progress.begin("events read");
    std::uint64_t done = 0;
    std::optional<std::int64_t> first_id;
    Datum parameter = text_of(dev_id);
    const Portal portal = call([&] {
        Oid type = TEXTOID;
        PushActiveSnapshot(pg::raising::snapshot_of(reads));
        const Portal opened = SPI_cursor_open_with_args(nullptr, select_events, 1, &type, &parameter, nullptr, true, 0);
        PopActiveSnapshot();
        return opened;
    });
    Fold fold;
    const Scratch scratch;
    while (true) {
        check_for_interrupts();
        call([&] { SPI_cursor_fetch(portal, true, fetch_rows); });
        SPITupleTable* const table = SPI_tuptable;
        if (table->numvals == 0)
            break;
        std::vector<Event> events;
        events.reserve(table->numvals);
        scratch.run([&] {
            for (std::uint64_t i = 0; i < table->numvals; ++i)
                events.push_back(event_of(table->vals[i], table->tupdesc));
        });
        fold.add(events);
        // How many events there are would cost as much to count as a part of reading them: what is known is how far
        // the ids go.
        const auto id_of = [table](std::uint64_t i) {
            return DatumGetInt64(attribute(table->vals[i], table->tupdesc, event_id_column).value);
        };
        if (!first_id)
            first_id = id_of(0);
        done += table->numvals;
        progress.at(done, static_cast<double>(id_of(table->numvals - 1) - *first_id + 1) /
                              static_cast<double>(last_id - *first_id + 1));
        call([table] { SPI_freetuptable(table); });
    }
    scratch.close();
    call([portal] { SPI_cursor_close(portal); });
    return fold;
}

} // namespace terra_identity::tables
