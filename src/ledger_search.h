// LedgerSearch: looks in the ledger for the events that may name a person without being of a connection of hers. Most
// of it is done before forget() locks the ledger, so that the others, who insert meanwhile, are kept waiting for no
// longer than it takes to read what they have inserted.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "tables/progress.h"

namespace terra_identity {

class LedgerSearch {
public:
    /// @param reference_id hers; empty if she has none @param user_ids hers, as they are now
    LedgerSearch(std::string dev_id, std::string reference_id, const std::vector<std::string>& user_ids);

    /// Waits for those who are inserting, and looks at what is there then. Nobody waits for this. Must run within
    /// `as_owner`.
    void read_settled();

    /// Looks at the rest, and, if she has other user_ids by now, at everything again. The ledger must be locked
    /// against inserts. Must run within `as_owner`.
    void read_rest(const std::vector<std::string>& user_ids);

    /// The event_ids of what was found, and of all corrections, which are few; in ascending order.
    const std::vector<std::int64_t>& found() const { return found_; }

private:
    void read_to(std::int64_t last);
    void read_page(const std::vector<std::int64_t>& event_ids);

    const std::string dev_id_;
    const std::string reference_id_;
    std::set<std::string> user_ids_;
    tables::ToldProgress progress_;
    std::int64_t read_ = 0; ///< the events up to this id were looked at
    std::uint64_t rows_read_ = 0;
    std::vector<std::int64_t> found_;
};

} // namespace terra_identity
