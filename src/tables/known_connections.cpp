#include "tables/known_connections.h"

#include <cstdint>
#include <functional>
#include <string_view>
#include <unordered_map>

#include "pg/relations.h"
#include "tables/connection_row.h"

extern "C" {
#include "access/transam.h"
#include "utils/inval.h"
}

namespace terra_identity::tables {

using namespace pg;

namespace {

/// At most this many are remembered, in about 2 MB.
constexpr std::size_t max_known = 16'384;

struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

struct KnownConnections {
    Oid table = InvalidOid;
    std::uint64_t changes = 0;
    std::unordered_map<std::string, Settled, Hash, std::equal_to<>> settled; ///< by `key`
    std::string key; ///< a buffer for the key of a connection: dev_id, a zero byte, which no id has, user_id
};

KnownConnections* known = nullptr;

/// Whether this version of the row will stay: this transaction did not write it, which might be rolled back, and no
/// transaction has replaced it, as may be the case in an old snapshot.
bool is_lasting(HeapTuple row) {
    const TransactionId writer = HeapTupleHeaderGetXmin(row->t_data);
    return (row->t_data->t_infomask & HEAP_XMAX_INVALID) != 0 &&
           !call([writer] { return TransactionIdIsCurrentTransactionId(writer); });
}

/// Like look_up, from the table, and remembers the connection if it is settled.
Known look_up_in(const Table& table, const std::string& dev_id, const Contribution& passing) {
    known->table = RelationGetRelid(table.relation());
    const std::uint64_t changes = known->changes;
    const std::vector<HeapTuple> rows = find_connections(table, dev_id, {passing.user_id}, Reads::statement);
    if (rows.empty())
        return {};
    const Facts facts = connection_of(rows.front(), table.columns()).facts;
    if (const auto what_is_left = settled(facts);
        what_is_left && is_lasting(rows.front()) && changes == known->changes) {
        if (known->settled.size() == max_known)
            known->settled.clear();
        known->settled.insert_or_assign(known->key, *what_is_left);
    }
    return {facts.absorbs(passing.facts), disputes(facts.reference_id, passing.facts.reference_id)};
}

} // namespace

void forget_connections(Oid changed) {
    if (known == nullptr || (changed != InvalidOid && changed != known->table))
        return;
    ++known->changes;
    known->settled.clear();
}

Known look_up(const std::string& dev_id, const Contribution& passing) {
    if (known == nullptr)
        known = new KnownConnections;
    known->key.assign(dev_id).append(1, '\0').append(passing.user_id);
    if (const auto found = known->settled.find(std::string_view(known->key));
        found != known->settled.end() && found->second.absorbs(passing.facts))
        return {true, disputes(found->second.reference_id, passing.facts.reference_id)};
    Table table("connections", AccessShareLock);
    const Known result = look_up_in(table, dev_id, passing);
    table.close();
    return result;
}

void forget_connections_everywhere() {
    const Oid table = lock_relation("connections", AccessShareLock);
    call([table] { CacheInvalidateRelcacheByRelid(table); });
}

} // namespace terra_identity::tables
