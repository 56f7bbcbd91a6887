// TableStore: the Store of one environment, in the tables `connections` and `reauths`. Each question is answered from
// the index that was made for it.
#pragma once

#include "core/store.h"

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "pg/relations.h"

namespace terra_identity::tables {

using namespace pg;

class TableStore : public Store {
public:
    TableStore(const Table& connections, std::string dev_id, Reads reads = Reads::latest)
        : table_(&connections), dev_id_(std::move(dev_id)), reads_(reads) {}

    std::vector<Connection> connections(const std::vector<std::string>& user_ids) override;
    std::vector<Reauth> reauths(const std::vector<std::string>& user_ids) override;
    std::vector<Connection> same_person_as(const std::vector<std::string>& user_ids) override;
    bool has_transfers() override;
    std::vector<Connection> neighbours(const std::vector<NeighbourQuery>& queries, const UserIds& except) override;
    std::vector<Connection> group_members(const std::vector<Group>& groups, const UserIds& except) override;
    std::vector<Connection> active_connections(const std::vector<AccountQuery>& queries) override;
    std::vector<Connection> lineages(const std::vector<std::int64_t>& lineage_ids) override;
    std::int64_t new_connection_id() override;

    /// For another derivation, after one that was not written: new_connection_id() returns the same ids again.
    void start_again() {
        used_ids_ = 0;
        places_.clear();
    }

    const Table& table() const { return *table_; }
    const std::string& dev_id() const { return dev_id_; }

    /// The TID of the row of a connection that this store has read, or that was written since.
    ItemPointerData place_of(std::int64_t connection_id) const { return places_.at(connection_id); }
    void set_place(std::int64_t connection_id, const ItemPointerData& place) {
        places_.insert_or_assign(connection_id, place);
    }

    /// The active connections of an end user, at most `limit`.
    std::vector<Connection> active_of(const std::string& reference_id, std::size_t limit);

    /// All connections and reauths of the environment.
    std::vector<Connection> all_connections();
    std::vector<Reauth> all_reauths();

private:
    IndexScan scan(const char* index) const;
    std::vector<Connection> decode(const std::vector<HeapTuple>& rows);
    std::vector<Reauth> read_reauths(const char* index, const std::vector<IndexKeys>& wanted) const;

    const Table* table_;
    std::string dev_id_;
    Reads reads_;
    std::unordered_map<std::int64_t, ItemPointerData> places_; ///< for a writer: by connection_id
    std::vector<std::int64_t> ids_;                            ///< taken from the sequence
    std::size_t used_ids_ = 0;
    std::int64_t provisional_id_ = INT64_MAX / 2; ///< for readers, who cannot take one from the sequence
};

} // namespace terra_identity::tables
