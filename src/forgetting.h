// Forgetting: erases a person from every table of one environment, and leaves nothing but tombstones; or, where other
// people's connections follow from hers, a pseudonymous rest.
#pragma once

#include "core/connection.h"
#include "core/renaming.h"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ledger_search.h"
#include "tables/progress.h"
#include "tables/table_store.h"

namespace terra_identity {

class LedgerRow;

/// Whom to forget: an end user, or a connection that has none. One of the two is empty.
struct Forgotten {
    std::string reference_id;
    std::string user_id;
};

/// What was done in one table.
struct Erased {
    std::int64_t erased = 0;  ///< rows removed
    std::int64_t changed = 0; ///< rows kept, without what was hers
};

/// The user_ids that are hers: those of the end user, and of her lineages what is of nobody; or what is of nobody of
/// the connection's lineage, and its own. Must run within `as_owner`. @throws Error 22023 if it is of an end user
std::vector<std::string> user_ids_of(const Forgotten& who, const std::string& dev_id);

class Forgetting {
public:
    /// @param connections the table, which must be locked, as its environment, and the ledger against inserts
    /// @param search for `who`
    Forgetting(const pg::Table& connections, std::string dev_id, Forgotten who, std::string key, LedgerSearch& search);

    /// Within `as_owner`. @return by the name of the table
    const std::map<std::string, Erased>& erase();

    /// A connection that is left, under another name, and is not ended.
    struct Rest {
        std::string user_id;
        Micros last_at; ///< no end before this ends it, or leaves it as old as it is
    };
    const std::vector<Rest>& rest() const { return rest_; }

    /// Whether only a rebuild() tells what follows now: ids decided between what is of one time, and are others now.
    bool needs_rebuild() const { return needs_rebuild_; }

private:
    void find_connections();
    void find_rest();
    void join_neighbours(std::size_t member);
    void rename_hers();
    void find_ties();
    bool has_anybody_else(const std::string& provider_user_id) const;
    Event rest_of(const Event& event, bool all_hers) const;

    void erase_events();
    std::vector<std::int64_t> events_of(const std::vector<std::string>& user_ids) const;
    void erase_event(const LedgerRow& row, std::vector<std::int64_t>& gone);
    void update_event_row(const LedgerRow& row, const Event& rest, bool hers);
    bool erase_reference_at_top(const LedgerRow& row, const Event& event);
    bool mentions_her(const LedgerRow& row) const;
    void scrub_note(const LedgerRow& row, const Event& event);
    void remove_events(std::vector<std::int64_t>& gone);
    void erase_superfluous(const std::string& user_id, std::vector<std::int64_t>& event_ids);
    /// After the events and the reauths have other names.
    void erase_events_of_her_time(const std::string& user_id);
    void erase_deliveries();
    void erase_changes();
    void erase_connections();
    void erase_reauths();
    void erase_disconnects();
    void erase_accepted_duplicates();
    void erase_rejected();
    void add_tombstones();

    bool is_hers(const std::string& user_id) const { return member_of_.contains(user_id); }
    bool is_rest(const std::string& user_id) const {
        const auto found = member_of_.find(user_id);
        return found != member_of_.end() && stays_[found->second];
    }

    const pg::Table& table_;
    tables::TableStore store_;
    const std::string dev_id_;
    const Forgotten who_;
    const std::string key_;
    LedgerSearch& search_;
    tables::ToldProgress progress_;

    std::vector<Connection> members_; ///< her connections, and what earlier forget()s left and is linked with them
    std::map<std::string, std::size_t> member_of_;
    std::vector<std::set<std::size_t>> links_;          ///< between members
    std::multimap<std::string, std::string> corrected_; ///< user_ids that corrections name together, either way round
    std::vector<bool> stays_;                           ///< of each member: other people's connections follow from it
    std::vector<std::string> user_ids_;                 ///< of the members
    std::vector<std::string> her_ids_;                  ///< those of them that are hers, which get tombstones
    std::set<std::string> neighbours_;                  ///< other people's connections that name one of hers
    Renaming names_;
    std::set<std::string> former_;      ///< other people's connections that were hers once
    std::map<std::string, Facts> said_; ///< of each connection that stays: what the events say that stay
    std::map<std::string, std::vector<std::int64_t>> superfluous_; ///< its data that changed nothing when it came
    std::vector<std::int64_t> erased_events_;
    std::vector<std::string> erased_trace_ids_;
    std::vector<Rest> rest_;
    bool needs_rebuild_ = false;
    std::map<std::string, Erased> erased_;
};

} // namespace terra_identity
