#include "ledger_row.h"

#include <algorithm>

#include "pg/scratch.h"

namespace terra_identity {

using namespace pg;

namespace {

Query select_events = R"(
    SELECT e.event_id, e.received_at, e.payload, e.headers, e.entered_by IS NOT NULL, e.user_id, e.reference_id,
           e.trace_id, e.contributes, e.event_type, e.disputes_reference
    FROM terra_identity.events e
    WHERE e.dev_id = $1 AND e.event_id = ANY ($2)
    ORDER BY e.event_id)";

} // namespace

std::string LedgerRow::json_text() const {
    std::string result;
    for (const NullableValue& json : {value(3), value(4)})
        if (!json.is_null)
            result += std::string(call(
                [&json] { return std::string_view(DatumGetCString(DirectFunctionCall1(jsonb_out, json.value))); }));
    return result;
}

void for_each_event(const std::string& dev_id, const std::vector<std::int64_t>& event_ids,
                    const std::function<void(const LedgerRow&)>& take) {
    constexpr std::size_t page_rows = 1000;
    const Scratch scratch;
    for (std::size_t first = 0; first < event_ids.size(); first += page_rows) {
        const auto begin = event_ids.begin() + static_cast<std::ptrdiff_t>(first);
        const auto end = event_ids.begin() + static_cast<std::ptrdiff_t>(std::min(event_ids.size(), first + page_rows));
        SPITupleTable* const rows = select_events.run({text_parameter(dev_id), ids_parameter({begin, end})});
        scratch.run([&] {
            for (std::uint64_t row = 0, count = Query::rows(); row < count; ++row) {
                check_for_interrupts();
                take(LedgerRow(rows, row));
            }
        });
        call([rows] { SPI_freetuptable(rows); });
    }
    scratch.close();
}

} // namespace terra_identity
