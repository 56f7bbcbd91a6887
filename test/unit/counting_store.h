// A Store in memory that answers queries by index look-ups, as the server does, and counts their cost: for tests of a
// derivation among many connections. The store in memory_store.h is the one that returns results in awkward orders.
#pragma once

#include "core/derived.h"
#include "core/store.h"

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace terra_identity::test {

/// The cost of a derivation in queries to the store.
struct Cost {
    std::size_t calls = 0;     ///< queries, each with many keys
    std::size_t asked = 0;     ///< keys in all these queries
    std::size_t looked_at = 0; ///< rows that were returned or, because of `except`, skipped
};

class CountingStore : public Store {
public:
    std::vector<Connection> connections(const std::vector<std::string>& user_ids) override;
    std::vector<Reauth> reauths(const std::vector<std::string>& user_ids) override;
    std::vector<Connection> same_person_as(const std::vector<std::string>& user_ids) override;
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

    /// The cost since the last call.
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
    std::map<std::string, std::set<Reauth>> reauths_; ///< by the user_id at either end
    std::map<std::string, Members> naming_;           ///< by the user_id that they are said to be the same person as
    std::map<Slot, std::set<Place>> live_;
    std::map<Group, Members> groups_;
    std::map<Account, Members> active_;
    std::map<std::int64_t, Members> lineages_;
    std::int64_t next_connection_id_ = 1;
    Cost cost_;
};

} // namespace terra_identity::test
