// A Store in memory. It answers by looking at everything, and promises no more than store.h: results come in random
// order, with repetitions, and randomly chosen where not all are wanted.
#pragma once

#include "core/derived.h"
#include "core/store.h"

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace terra_identity::test {

class MemoryStore : public Store {
public:
    explicit MemoryStore(std::uint64_t seed = 1) : random_(seed) {}

    std::vector<Connection> connections(const std::vector<std::string>& user_ids) override;
    std::vector<Reauth> reauths(const std::vector<std::string>& user_ids) override;
    std::vector<Connection> same_person_as(const std::vector<std::string>& user_ids) override;
    bool has_transfers() override;
    std::vector<Connection> neighbours(const std::vector<NeighbourQuery>& queries, const UserIds& except) override;
    std::vector<Connection> group_members(const std::vector<Group>& groups, const UserIds& except) override;
    std::vector<Connection> active_connections(const std::vector<AccountQuery>& queries) override;
    std::vector<Connection> lineages(const std::vector<std::int64_t>& lineage_ids) override;
    std::int64_t new_connection_id() override { return next_connection_id_++; }

    /// Writes the result of a derivation. A reauth whose `transfer` changed is among both the vanished and the new
    /// ones.
    void write(const Derived& derived);

    /// Spoils everything that is derived.
    void spoil();

    const std::map<std::string, Connection>& stored() const { return stored_; }
    const std::set<Reauth>& stored_reauths() const { return stored_reauths_; }
    std::vector<Connection> all() const;

private:
    /// Up to `limit` of the stored connections for which `holds` is true, in random order.
    template <class Predicate>
    std::vector<Connection> some(std::size_t limit, const Predicate& holds);

    /// The answer in random order, with its first element twice.
    template <class T>
    std::vector<T> disordered(std::vector<T> answer);

    std::map<std::string, Connection> stored_;
    std::set<Reauth> stored_reauths_;
    std::int64_t next_connection_id_ = 1;
    std::mt19937_64 random_;
};

} // namespace terra_identity::test
