#include "pg/sql_store.h"

#include "pg/connection_row.h"

namespace terra_identity::pg {
namespace {

Query select_connections = R"(
    SELECT c.* FROM terra_identity.connections c WHERE c.dev_id = $1 AND c.user_id = ANY ($2))";

Query select_reauths = R"(
    SELECT r.old_user_id, r.new_user_id FROM terra_identity.reauths r WHERE r.dev_id = $1 AND r.old_user_id = ANY ($2)
    UNION ALL
    SELECT r.old_user_id, r.new_user_id FROM terra_identity.reauths r WHERE r.dev_id = $1 AND r.new_user_id = ANY ($2))";

Query select_lineages = R"(
    SELECT c.* FROM terra_identity.connections c WHERE c.dev_id = $1 AND c.lineage_id = ANY ($2))";

Query select_all_connections = "SELECT c.* FROM terra_identity.connections c WHERE c.dev_id = $1";

Query select_all_reauths = "SELECT r.old_user_id, r.new_user_id FROM terra_identity.reauths r WHERE r.dev_id = $1";

Query select_active = R"(
    SELECT c.*
    FROM unnest($2::text[], $3::text[], $4::bigint[]) q (provider, provider_user_id, holders)
    CROSS JOIN LATERAL (
        SELECT * FROM terra_identity.connections c
        WHERE c.dev_id = $1 AND c.provider = q.provider AND c.provider_user_id = q.provider_user_id AND c.status = 'active'
        LIMIT q.holders) c)";

// The nearest live connection on either side of a place, in each of the three kinds of slots. The text of every one
// repeats the predicate and the order of the index that it is for (sql/install/03_connections.sql).
#define NEIGHBOUR(slot, comparison, direction)                                                                        \
    "SELECT c.* "                                                                                                     \
    "FROM unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[]) "                                 \
    "    q (provider, provider_user_id, reference_id, connected_at, user_id) "                                        \
    "CROSS JOIN LATERAL ( "                                                                                           \
    "    SELECT * FROM terra_identity.connections c "                                                                 \
    "    WHERE c.dev_id = $1 AND c.provider = q.provider AND c.live AND " slot                                        \
    "      AND (c.connected_at, c.user_id) " comparison " (q.connected_at, q.user_id) "                               \
    "      AND c.user_id <> ALL ($7) "                                                                                \
    "    ORDER BY c.connected_at " direction ", c.user_id " direction " LIMIT 1) c"

#define SHARED_ACCOUNT_SLOT                                                                                           \
    "c.provider_user_id = q.provider_user_id AND c.reference_id = q.reference_id AND c.provider_user_id IS NOT NULL"
#define UNNAMED_ACCOUNT_SLOT                                                                                          \
    "c.provider_user_id = q.provider_user_id AND c.reference_id IS NULL AND c.provider_user_id IS NOT NULL"
#define EXCLUSIVE_ACCOUNT_SLOT                                                                                        \
    "c.provider_user_id = q.provider_user_id AND c.account_exclusive AND c.provider_user_id IS NOT NULL"
#define REFERENCE_SLOT "c.reference_id = q.reference_id AND c.sdk"

enum SlotKind { shared_account, unnamed_account, exclusive_account, reference, slot_kinds };

Query select_neighbours[slot_kinds][2] = {
    {NEIGHBOUR(SHARED_ACCOUNT_SLOT, "<", "DESC"), NEIGHBOUR(SHARED_ACCOUNT_SLOT, ">", "ASC")},
    {NEIGHBOUR(UNNAMED_ACCOUNT_SLOT, "<", "DESC"), NEIGHBOUR(UNNAMED_ACCOUNT_SLOT, ">", "ASC")},
    {NEIGHBOUR(EXCLUSIVE_ACCOUNT_SLOT, "<", "DESC"), NEIGHBOUR(EXCLUSIVE_ACCOUNT_SLOT, ">", "ASC")},
    {NEIGHBOUR(REFERENCE_SLOT, "<", "DESC"), NEIGHBOUR(REFERENCE_SLOT, ">", "ASC")},
};

#define GROUP_MEMBERS(group)                                                                                          \
    "SELECT c.* "                                                                                                     \
    "FROM unnest($2::text[], $3::text[], $4::text[]) q (provider, provider_user_id, reference_id) "                   \
    "CROSS JOIN LATERAL ( "                                                                                           \
    "    SELECT * FROM terra_identity.connections c "                                                                 \
    "    WHERE c.dev_id = $1 AND c.provider = q.provider AND " group                                                  \
    "      AND c.user_id <> ALL ($5) LIMIT 2) c"

Query select_group_members[slot_kinds] = {
    GROUP_MEMBERS(SHARED_ACCOUNT_SLOT),
    GROUP_MEMBERS(UNNAMED_ACCOUNT_SLOT),
    GROUP_MEMBERS(SHARED_ACCOUNT_SLOT), // never asked: a group has a reference_id, or is unnamed
    GROUP_MEMBERS(REFERENCE_SLOT),
};

#undef NEIGHBOUR
#undef GROUP_MEMBERS

SlotKind account_kind(const std::optional<std::string>& reference_id) {
    return reference_id ? shared_account : unnamed_account;
}

/// Slots as parallel arrays.
struct SlotArrays {
    std::vector<NullableValue> providers, provider_user_ids, reference_ids;

    void add(const Slot& slot, const std::optional<std::string>& reference_id) {
        providers.emplace_back(text_of(slot.provider));
        provider_user_ids.emplace_back(slot.provider_user_id);
        reference_ids.emplace_back(reference_id);
    }

    bool empty() const { return providers.empty(); }
};

Query::Parameter texts(const std::vector<NullableValue>& values) {
    return {TEXTARRAYOID, NullableValue(array_of(values, TEXTOID))};
}

Query::Parameter texts(const std::vector<std::string>& values) {
    return {TEXTARRAYOID, NullableValue(text_array_of(values))};
}

void append(std::vector<Connection>& to, std::vector<Connection> from) {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

} // namespace

std::vector<Connection> SqlStore::read(Query& query, std::initializer_list<Query::Parameter> parameters) {
    SPITupleTable* const table = query.run(parameters, reads_);
    std::vector<Connection> result;
    result.reserve(Query::rows());
    for (std::uint64_t i = 0; i < table->numvals; ++i)
        result.push_back(connection_of(table->vals[i], table->tupdesc));
    call([table] { SPI_freetuptable(table); });
    return result;
}

std::vector<Reauth> SqlStore::read_reauths(Query& query, std::initializer_list<Query::Parameter> parameters) {
    SPITupleTable* const table = query.run(parameters, reads_);
    std::vector<Reauth> result;
    for (std::uint64_t i = 0; i < table->numvals; ++i) {
        Datum values[2];
        bool nulls[2];
        heap_deform_tuple(table->vals[i], table->tupdesc, values, nulls);
        result.push_back({string_of(values[0]), string_of(values[1])});
    }
    call([table] { SPI_freetuptable(table); });
    return result;
}

std::vector<Connection> SqlStore::connections(const std::vector<std::string>& user_ids) {
    return read(select_connections, {text_parameter(dev_id_), texts(user_ids)});
}

std::vector<Reauth> SqlStore::reauths(const std::vector<std::string>& user_ids) {
    return read_reauths(select_reauths, {text_parameter(dev_id_), texts(user_ids)});
}

std::vector<Connection> SqlStore::neighbours(const std::vector<NeighbourQuery>& queries,
                                             const std::vector<std::string>& except) {
    std::vector<Connection> result;
    for (int kind = 0; kind < slot_kinds; ++kind) {
        for (const Direction direction : {Direction::older, Direction::newer}) {
            SlotArrays slots;
            std::vector<NullableValue> connected_at, user_ids;
            for (const NeighbourQuery& query : queries) {
                const Slot& slot = query.slot;
                const SlotKind its_kind = !slot.is_account()                          ? reference
                                          : policy_ == AccountPolicy::replace ? exclusive_account
                                                                              : account_kind(slot.reference_id);
                if (its_kind != kind || query.direction != direction)
                    continue;
                slots.add(slot, slot.reference_id);
                connected_at.emplace_back(timestamptz_of(query.place.connected_at));
                user_ids.emplace_back(text_of(query.place.user_id));
            }
            if (!slots.empty())
                append(result, read(select_neighbours[kind][direction == Direction::newer],
                                    {text_parameter(dev_id_), texts(slots.providers), texts(slots.provider_user_ids),
                                     texts(slots.reference_ids),
                                     {TIMESTAMPTZARRAYOID, NullableValue(array_of(connected_at, TIMESTAMPTZOID))},
                                     texts(user_ids), texts(except)}));
        }
    }
    return result;
}

std::vector<Connection> SqlStore::group_members(const std::vector<Group>& groups,
                                                const std::vector<std::string>& except) {
    std::vector<Connection> result;
    for (int kind = 0; kind < slot_kinds; ++kind) {
        SlotArrays slots;
        for (const Group& group : groups)
            if ((group.slot.is_account() ? account_kind(group.reference_id) : reference) == kind)
                slots.add(group.slot, group.reference_id);
        if (!slots.empty())
            append(result, read(select_group_members[kind],
                                {text_parameter(dev_id_), texts(slots.providers), texts(slots.provider_user_ids),
                                 texts(slots.reference_ids), texts(except)}));
    }
    return result;
}

std::vector<Connection> SqlStore::active_connections(const std::vector<AccountQuery>& queries) {
    std::vector<NullableValue> providers, provider_user_ids;
    std::vector<std::int64_t> limits;
    for (const AccountQuery& query : queries) {
        providers.emplace_back(text_of(query.account.provider));
        provider_user_ids.emplace_back(text_of(query.account.provider_user_id));
        limits.push_back(query.limit);
    }
    return read(select_active, {text_parameter(dev_id_), texts(providers), texts(provider_user_ids),
                                {INT8ARRAYOID, NullableValue(bigint_array_of(limits))}});
}

std::vector<Connection> SqlStore::lineages(const std::vector<std::int64_t>& lineage_ids) {
    return read(select_lineages,
                {text_parameter(dev_id_), {INT8ARRAYOID, NullableValue(bigint_array_of(lineage_ids))}});
}

std::int64_t SqlStore::new_connection_id() {
    return reads_ == Reads::statement ? provisional_id_++ : next_value("connections_connection_id_seq");
}

std::vector<Connection> SqlStore::all_connections() {
    return read(select_all_connections, {text_parameter(dev_id_)});
}

std::vector<Reauth> SqlStore::all_reauths() {
    return read_reauths(select_all_reauths, {text_parameter(dev_id_)});
}

} // namespace terra_identity::pg
