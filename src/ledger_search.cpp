#include "ledger_search.h"

#include "core/named_ids.h"
#include "core/renaming.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "ledger_row.h"
#include "pg/query.h"
#include "pg/relations.h"

namespace terra_identity {

using namespace pg;

namespace {

/// The id that was drawn last. 0 if ids may come into the table in another order: from a publisher, or if sessions draw
/// several at once.
Query select_last_id = R"(
    SELECT CASE WHEN q.seqcache = 1
                     AND NOT EXISTS (SELECT FROM pg_catalog.pg_subscription_rel r
                                     WHERE r.srrelid = 'terra_identity.events'::pg_catalog.regclass)
                THEN s.last_value ELSE 0 END
    FROM terra_identity.events_event_id_seq s, pg_catalog.pg_sequence q
    WHERE q.seqrelid = 'terra_identity.events_event_id_seq'::pg_catalog.regclass)";

/// The events that may name her though they are of somebody else's connection, or of none: by their columns, or, as
/// these have one of the ids that an event names, by their type. At the top level of a payload whose user has another
/// reference_id she is looked for only if it is small: what is stored out of line would have to be read for that, of
/// all data. The second column is null or false where only its payload tells.
Query select_events = R"(
    SELECT e.event_id,
           e.reference_id = $4 OR e.event_type = 'correction'
           OR (pg_column_size(e.payload) < 2100 AND btrim(e.payload ->> 'reference_id', E' \t\n\r\v\f') = $4)
    FROM terra_identity.events e
    WHERE e.dev_id = $1 AND e.event_id > $2 AND e.event_id <= $3
      AND (e.reference_id = $4 OR e.user_id IS NULL OR e.event_type = 'user_reauth'
           OR e.entered_by IS NOT NULL OR e.problem IS NOT NULL
           OR (pg_column_size(e.payload) < 2100
               AND btrim(e.payload ->> 'reference_id', E' \t\n\r\v\f') = $4))
    ORDER BY e.event_id LIMIT 1000)";

} // namespace

LedgerSearch::LedgerSearch(std::string dev_id, std::string reference_id, const std::vector<std::string>& user_ids)
    : dev_id_(std::move(dev_id)), reference_id_(std::move(reference_id)), user_ids_(user_ids.begin(), user_ids.end()),
      progress_("forget") {}

void LedgerSearch::read_settled() {
    const SPITupleTable* const last = select_last_id.run({});
    const std::int64_t settled = DatumGetInt64(pg::column(last, 0, 1).value);
    wait_for_writers("events");
    progress_.begin("events read");
    read_to(settled);
}

void LedgerSearch::read_rest(const std::vector<std::string>& user_ids) {
    for (const std::string& user_id : user_ids)
        if (user_ids_.insert(user_id).second)
            read_ = 0;
    read_to(std::numeric_limits<std::int64_t>::max());
    std::sort(found_.begin(), found_.end());
    found_.erase(std::unique(found_.begin(), found_.end()), found_.end());
}

void LedgerSearch::read_to(std::int64_t last) {
    while (read_ < last) {
        SPITupleTable* const rows = select_events.run(
            {text_parameter(dev_id_), id_parameter(read_), id_parameter(last),
             nullable_text_parameter(reference_id_.empty() ? std::nullopt : std::optional(reference_id_))});
        const std::uint64_t count = Query::rows();
        std::vector<std::int64_t> unclear;
        for (std::uint64_t row = 0; row < count; ++row) {
            read_ = DatumGetInt64(pg::column(rows, row, 1).value);
            progress_.at(++rows_read_);
            const NullableValue is_found = pg::column(rows, row, 2);
            (!is_found.is_null && DatumGetBool(is_found.value) ? found_ : unclear).push_back(read_);
        }
        call([rows] { SPI_freetuptable(rows); });
        if (count == 0)
            read_ = last;
        read_page(unclear);
    }
}

void LedgerSearch::read_page(const std::vector<std::int64_t>& event_ids) {
    for_each_event(dev_id_, event_ids, [this](const LedgerRow& row) {
        const NamedIds named = named_ids(row.payload());
        const auto is_hers = [this](const std::string& id) {
            return user_ids_.contains(id) || is_name_of_forgotten(id);
        };
        const auto& references = named.reference_ids;
        if (std::any_of(named.user_ids.begin(), named.user_ids.end(), is_hers) ||
            std::find(references.begin(), references.end(), reference_id_) != references.end())
            return found_.push_back(row.event_id());
        const std::string text = row.json_text();
        if (mentions(text, reference_id_) || std::any_of(user_ids_.begin(), user_ids_.end(),
                                                         [&](const auto& user_id) { return mentions(text, user_id); }))
            found_.push_back(row.event_id());
    });
}

} // namespace terra_identity
