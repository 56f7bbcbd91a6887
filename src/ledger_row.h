// Rows of the ledger as forget() reads them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "pg/jsonb.h"
#include "pg/query.h"
#include "tables/ledger.h"

namespace terra_identity {

class LedgerRow {
public:
    /// @param rows what the query of `for_each_event` returned
    LedgerRow(const SPITupleTable* rows, std::uint64_t row) : rows_(rows), row_(row) {}

    std::int64_t event_id() const { return DatumGetInt64(value(1).value); }
    bool is_entered() const { return DatumGetBool(value(5).value); }
    std::optional<std::string> user_id() const { return text(6); }
    std::optional<std::string> reference_id() const { return text(7); }
    std::optional<std::string> trace_id() const { return text(8); }
    /// Whether it changed nothing when it came, so that the others say all that it says.
    bool is_superfluous() const { return !value(9).is_null && !DatumGetBool(value(9).value); }
    std::string type() const { return text(10).value_or(""); }
    const Jsonb* jsonb() const { return pg::detoasted_jsonb(value(3).value); }
    pg::JsonbView payload() const { return pg::JsonbView(jsonb()); }
    pg::NullableValue headers() const { return value(4); }
    pg::NullableValue disputes_reference() const { return value(11); }
    Event event() const { return event(value(3).value); }
    /// The event if it had this payload.
    Event event(Datum payload) const { return tables::event_of(value(2).value, payload, value(4), is_entered()); }
    /// Its payload and headers as text.
    std::string json_text() const;

private:
    pg::NullableValue value(int number) const { return pg::column(rows_, row_, number); }
    std::optional<std::string> text(int number) const {
        const pg::NullableValue found = value(number);
        return found.is_null ? std::nullopt : std::optional(pg::string_of(found.value));
    }

    const SPITupleTable* rows_;
    std::uint64_t row_;
};

/// Calls take(row) for those of these events that are there. What it allocates is freed from time to time. Must run
/// within `as_owner`. @param event_ids in ascending order
void for_each_event(const std::string& dev_id, const std::vector<std::int64_t>& event_ids,
                    const std::function<void(const LedgerRow&)>& take);

} // namespace terra_identity
