// Store: the queries of a derivation on the stored state of one environment. Every query takes many keys at once. Its
// result may repeat connections and come in any order.
#pragma once

#include "core/connection.h"

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace terra_identity {

enum class Direction { older, newer };

/// A query for the nearest live connection of a slot before or after a place.
struct NeighbourQuery {
    Slot slot;
    Place place;
    Direction direction;
};

using UserIds = std::set<std::string, std::less<>>;

/// A query for active connections of an account, at most `limit` of them.
struct AccountQuery {
    Account account;
    std::int64_t limit;
};

class Store {
public:
    virtual ~Store() = default;

    virtual std::vector<Connection> connections(const std::vector<std::string>& user_ids) = 0;

    /// The reauths that name one of these connections as old or as new.
    virtual std::vector<Reauth> reauths(const std::vector<std::string>& user_ids) = 0;

    /// The connections that a correction says are of the same person as one of these.
    virtual std::vector<Connection> same_person_as(const std::vector<std::string>& user_ids) = 0;

    /// Whether any stored reauth is a transfer.
    virtual bool has_transfers() = 0;

    /// For each query the nearest live connection whose user_id is not among `except`, if there is one.
    virtual std::vector<Connection> neighbours(const std::vector<NeighbourQuery>& queries, const UserIds& except) = 0;

    /// For each group up to two of its members whose user_id is not among `except`.
    virtual std::vector<Connection> group_members(const std::vector<Group>& groups, const UserIds& except) = 0;

    /// For each account up to `limit` of its active connections.
    virtual std::vector<Connection> active_connections(const std::vector<AccountQuery>& queries) = 0;

    virtual std::vector<Connection> lineages(const std::vector<std::int64_t>& lineage_ids) = 0;

    /// Returns a connection_id greater than all before.
    virtual std::int64_t new_connection_id() = 0;
};

} // namespace terra_identity
