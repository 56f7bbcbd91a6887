#include "tables/disputes.h"

#include "pg/index_scan.h"
#include "pg/relations.h"
#include "tables/event_row.h"

extern "C" {
#include "access/xact.h"
}

namespace terra_identity::tables {

using namespace pg;

namespace raising {
namespace {

/// A filter for events of one environment that this transaction did not insert.
bool is_of_others(const void* environment, HeapTuple row, TupleDesc columns) {
    return pg::raising::has_text(environment, row, columns) &&
           !TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(row->t_data));
}

} // namespace
} // namespace raising

bool is_disputed(const std::string& dev_id, const std::string& user_id, const std::string& reference_id,
                 DisputesOf of) {
    Table events("events", AccessShareLock);
    const TextColumn environment{event_dev_id, dev_id};
    const IndexScan scan{.table = events.relation(),
                         .index = "events_disputes_reference_idx",
                         .limit = 1,
                         .filter = of == DisputesOf::everybody ? pg::raising::has_text : raising::is_of_others,
                         .filter_state = &environment};
    const bool result = !scan.fetch(std::move(IndexKeys().equals(user_id).equals(reference_id))).empty();
    events.close();
    return result;
}

} // namespace terra_identity::tables
