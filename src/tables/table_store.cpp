#include "tables/table_store.h"

#include "core/interrupts.h"

#include <iterator>
#include <string_view>

#include "tables/connection_row.h"
#include "tables/ids.h"

namespace terra_identity::tables {

using namespace pg;

namespace raising {
namespace {

/// A filter for rows whose user_id is not among some.
bool is_other_user(const void* state, HeapTuple row, TupleDesc columns) {
    bool is_null;
    const text* const user_id = DatumGetTextPP(heap_getattr(row, connection_column("user_id"), columns, &is_null));
    return !static_cast<const UserIds*>(state)->contains(
        std::string_view(VARDATA_ANY(user_id), VARSIZE_ANY_EXHDR(user_id)));
}

} // namespace
} // namespace raising

namespace {

void filter_out(IndexScan& scan, const UserIds& except) {
    if (except.empty())
        return;
    scan.filter = raising::is_other_user;
    scan.filter_state = &except;
}

void append(std::vector<Connection>& to, std::vector<Connection> from) {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

} // namespace

IndexScan TableStore::scan(const char* index) const {
    return {.table = table_->relation(), .index = index, .reads = reads_};
}

std::vector<Connection> TableStore::decode(const std::vector<HeapTuple>& rows) {
    std::vector<Connection> result;
    result.reserve(rows.size());
    for (const HeapTuple row : interruptible(rows)) {
        result.push_back(connection_of(row, table_->columns()));
        if (reads_ == Reads::latest)
            set_place(result.back().connection_id, row->t_self);
    }
    return result;
}

std::vector<Connection> TableStore::connections(const std::vector<std::string>& user_ids) {
    return decode(find_connections(*table_, dev_id_, user_ids, reads_));
}

std::vector<Connection> TableStore::neighbours(const std::vector<NeighbourQuery>& queries, const UserIds& except) {
    std::vector<Connection> result;
    for (const NeighbourQuery& query : queries) {
        const Slot& slot = query.slot;
        const bool exclusive = slot.is_account() && !slot.per_reference;
        IndexScan nearest = scan(exclusive           ? "connections_exclusive_account_idx"
                                 : slot.is_account() ? "connections_account_idx"
                                                     : "connections_reference_idx");
        nearest.backward = query.direction == Direction::older;
        nearest.limit = 1;
        filter_out(nearest, except);
        IndexKeys keys;
        keys.equals(dev_id_).equals(slot.provider);
        if (slot.is_account())
            keys.equals(slot.provider_user_id);
        if (!exclusive)
            keys.equals(slot.reference_id);
        keys.equals(true);
        keys.beyond({{BoolGetDatum(query.place.dated), F_BTBOOLCMP},
                     {timestamptz_of(query.place.connected_at), F_TIMESTAMPTZ_CMP},
                     {text_of(query.place.user_id), F_BTTEXTCMP}},
                    nearest.backward ? BTLessStrategyNumber : BTGreaterStrategyNumber);
        append(result, decode(nearest.fetch(keys)));
    }
    return result;
}

std::vector<Connection> TableStore::group_members(const std::vector<Group>& groups, const UserIds& except) {
    std::vector<Connection> result;
    for (const Group& group : groups) {
        const bool is_account = group.slot.is_account();
        IndexScan members = scan(is_account ? "connections_account_idx" : "connections_reference_idx");
        members.limit = 2;
        filter_out(members, except);
        IndexKeys keys;
        keys.equals(dev_id_).equals(group.slot.provider);
        if (is_account)
            keys.equals(group.slot.provider_user_id);
        append(result, decode(members.fetch(keys.equals(group.reference_id))));
    }
    return result;
}

std::vector<Connection> TableStore::active_connections(const std::vector<AccountQuery>& queries) {
    std::vector<Connection> result;
    for (const AccountQuery& query : queries) {
        IndexScan active = scan("connections_active_account_key");
        active.limit = static_cast<std::size_t>(query.limit);
        append(result,
               decode(active.fetch(
                   IndexKeys().equals(dev_id_).equals(query.account.provider).equals(query.account.provider_user_id))));
    }
    return result;
}

std::vector<Connection> TableStore::lineages(const std::vector<std::int64_t>& lineage_ids) {
    std::vector<Connection> result;
    for (const std::int64_t lineage_id : lineage_ids)
        append(result, decode(scan("connections_lineage_idx").fetch(IndexKeys().equals(dev_id_).equals(lineage_id))));
    return result;
}

std::vector<Connection> TableStore::active_of(const std::string& reference_id, std::size_t limit) {
    IndexScan active = scan("connections_reference_id_idx");
    active.limit = limit;
    return decode(active.fetch(IndexKeys().equals(reference_id).equals(to_string(Status::active)).equals(dev_id_)));
}

std::vector<Connection> TableStore::all_connections() {
    return decode(scan("connections_lineage_idx").fetch(IndexKeys().equals(dev_id_)));
}

std::vector<Reauth> TableStore::read_reauths(const char* index, const std::vector<IndexKeys>& wanted) const {
    Table table("reauths", AccessShareLock);
    const IndexScan reauths{.table = table.relation(), .index = index, .reads = reads_};
    std::vector<Reauth> result;
    for (const IndexKeys& keys : wanted)
        for (const HeapTuple row : reauths.fetch(keys)) {
            const auto value = [&](int column) { return attribute(row, table.relation(), column).value; };
            result.push_back({string_of(value(2)), string_of(value(3)), DatumGetBool(value(4))});
        }
    table.close();
    return result;
}

std::vector<Reauth> TableStore::reauths(const std::vector<std::string>& user_ids) {
    std::vector<IndexKeys> wanted;
    for (const std::string& user_id : user_ids)
        wanted.push_back(IndexKeys().equals(dev_id_).equals(user_id));
    std::vector<Reauth> result = read_reauths("reauths_key", wanted);
    for (Reauth& reauth : read_reauths("reauths_new_user_id_idx", wanted))
        result.push_back(std::move(reauth));
    return result;
}

std::vector<Connection> TableStore::same_person_as(const std::vector<std::string>& user_ids) {
    std::vector<IndexKeys> wanted;
    for (const std::string& user_id : user_ids)
        wanted.push_back(std::move(IndexKeys().equals(user_id).equals(dev_id_)));
    return decode(scan("connections_same_person_as_idx").fetch(wanted));
}

bool TableStore::has_transfers() {
    Table table("reauths", AccessShareLock);
    const IndexScan transfers{.table = table.relation(), .index = "reauths_transfer_idx", .reads = reads_, .limit = 1};
    const bool found = !transfers.fetch(IndexKeys().equals(dev_id_)).empty();
    table.close();
    return found;
}

std::vector<Reauth> TableStore::all_reauths() { return read_reauths("reauths_key", {IndexKeys().equals(dev_id_)}); }

std::int64_t TableStore::new_connection_id() {
    if (reads_ == Reads::statement)
        return provisional_id_++;
    if (used_ids_ == ids_.size())
        ids_.push_back(next_id(connection_ids));
    return ids_[used_ids_++];
}

} // namespace terra_identity::tables
