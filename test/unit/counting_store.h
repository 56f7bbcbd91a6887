// A Store in memory that looks up what it is asked, as the server's indexes do, and counts: for the cost of a
// derivation among many connections. memory_store.h is the one that is nasty.
#pragma once

#include "core/derived.h"
#include "core/store.h"

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace terra_identity::test {

/// What a derivation has cost the store.
struct Cost {
    std::size_t calls = 0;     ///< questions, each for many at once
    std::size_t asked = 0;     ///< what was asked for in all of them
    std::size_t looked_at = 0; ///< rows that were answered or, being excepted, skipped
};

class CountingStore : public Store {
public:
    std::vector<Connection> connections(const std::vector<std::string>& user_ids) override;
    std::vector<Reauth> reauths(const std::vector<std::string>& user_ids) override;
    bool has_transfers() override;
    std::vector<Connection> neighbours(const std::vector<NeighbourQuery>& queries, const UserIds& except) override;
    std::vector<Connection> group_members(const std::vector<Group>& groups, const UserIds& except) override;
    std::vector<Connection> active_connections(const std::vector<AccountQuery>& queries) override;
    std::vector<Connection> lineages(const std::vector<std::int64_t>& lineage_ids) override;
    std::int64_t new_connection_id() override { return next_connection_id_++; }

    /// Writes what a derivation changed.
    void write(const Derived& derived);

    const std::map<std::string, Connection>& stored() const { return stored_; }
    std::vector<Connection> all() const;
    std::vector<Reauth> all_reauths() const;

    /// What was asked since the last call.
    Cost take_cost();

private:
    using Members = std::set<std::string>;

    void put(const Connection& connection);
    void remove(const std::string& user_id);
    void count(std::size_t asked);
    void answer(std::vector<Connection>& result, const std::string& user_id);
    void answer_some(std::vector<Connection>& result, const Members* members, std::size_t limit,
                     const UserIds& except = {});

    std::map<std::string, Connection> stored_;
    std::map<std::string, std::set<Reauth>> reauths_; ///< by either end
    std::map<Slot, std::set<Place>> live_;
    std::map<Group, Members> groups_;
    std::map<Account, Members> active_;
    std::map<std::int64_t, Members> lineages_;
    std::int64_t next_connection_id_ = 1;
    Cost cost_;
};

} // namespace terra_identity::test
