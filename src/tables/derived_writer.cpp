#include "core/changes.h"
#include "tables/derived_writer.h"

#include "tables/connection_row.h"
#include "tables/ids.h"
#include "pg/query.h"
#include "pg/row_versions.h"
#include "pg/row_writer.h"

#include <algorithm>
#include <array>
#include <utility>

namespace terra_identity::tables {

using namespace pg;

namespace {

Query delete_connections = R"(
    DELETE FROM terra_identity.connections c WHERE c.dev_id = $1 AND c.user_id = ANY ($2))";

Query delete_reauths = R"(
    DELETE FROM terra_identity.reauths r USING unnest($2::text[], $3::text[]) d (old_user_id, new_user_id)
    WHERE r.dev_id = $1 AND r.old_user_id = d.old_user_id AND r.new_user_id = d.new_user_id)";

/// Whether a row has to leave its slots before others can take them: the unique indexes are checked row by row.
bool frees_slots(const Node& node) {
    return node.stored && node.stored->status == Status::active &&
           (node.now.status != Status::active || node.stored->slots() != node.now.slots());
}

using Nodes = std::vector<const Node*>;

void update(std::vector<Connection> connections, const Table& table, const std::string& dev_id) {
    if (connections.empty())
        return;
    std::sort(connections.begin(), connections.end(),
              [](const Connection& a, const Connection& b) { return a.user_id < b.user_id; });
    std::vector<std::string> user_ids;
    user_ids.reserve(connections.size());
    for (const Connection& connection : connections)
        user_ids.push_back(connection.user_id);
    std::vector<HeapTuple> present = find_connections(table, dev_id, user_ids, Reads::latest);
    if (present.size() != connections.size())
        throw Error{internal, "a connection is gone that is to be updated"};
    if (table.columns()->natts > static_cast<int>(connection_column_count))
        present = lock_newest(table, present);
    std::vector<RowWriter::Update> updates;
    updates.reserve(present.size());
    for (std::size_t i = 0; i < present.size(); ++i)
        updates.push_back({present[i], row_of(connections[i], dev_id, table, present[i])});
    RowWriter writer(table);
    writer.update(updates);
    writer.finish();
}

void insert(const std::vector<HeapTuple>& rows, const Table& table) {
    if (rows.empty())
        return;
    RowWriter writer(table);
    writer.insert(rows);
    writer.finish();
}

void write_connections(const Nodes& changed, const Table& table, const std::string& dev_id) {
    std::vector<Connection> leaving, staying;
    std::vector<HeapTuple> added;
    for (const Node* node : changed) {
        if (!node->stored) {
            added.push_back(row_of(node->now, dev_id, table));
        } else if (!frees_slots(*node)) {
            staying.push_back(node->now);
        } else if (node->now.status != Status::active) {
            leaving.push_back(node->now);
        } else {
            leaving.push_back(*node->stored);
            leaving.back().status = Status::superseded;
            staying.push_back(node->now);
        }
    }
    update(std::move(leaving), table, dev_id);
    update(std::move(staying), table, dev_id);
    insert(added, table);
}

/// Moves the members that were not loaded; those that were are written with all else that changed of them.
void move_lineages(const Derived& derived, const Table& table, const std::string& dev_id) {
    if (derived.moved_lineages.empty())
        return;
    const IndexScan members{.table = table.relation(), .index = "connections_lineage_idx"};
    for (const auto& [old_lineage_id, new_lineage_id] : derived.moved_lineages) {
        std::vector<Connection> moved;
        for (const HeapTuple row : members.fetch(IndexKeys().equals(dev_id).equals(old_lineage_id))) {
            Connection connection = connection_of(row, table.columns());
            if (derived.nodes.contains(connection.user_id))
                continue;
            connection.lineage_id = new_lineage_id;
            moved.push_back(std::move(connection));
        }
        update(std::move(moved), table, dev_id);
    }
}

void insert_reauths(const std::set<Reauth>& reauths, const std::string& dev_id) {
    if (reauths.empty())
        return;
    Table table("reauths", RowExclusiveLock);
    std::vector<HeapTuple> rows;
    rows.reserve(reauths.size());
    for (const Reauth& reauth : reauths)
        rows.push_back(table.form_row(
            std::array{NullableValue(text_of(dev_id)), NullableValue(text_of(reauth.old_user_id)),
                       NullableValue(text_of(reauth.new_user_id)), NullableValue(BoolGetDatum(reauth.transfer))}));
    insert(rows, table);
    table.close();
}

/// What a rebuild found to be no more.
void delete_vanished(const Derived& derived, const std::string& dev_id) {
    if (!derived.vanished.empty()) {
        std::vector<std::string> user_ids;
        for (const Connection& connection : derived.vanished)
            user_ids.push_back(connection.user_id);
        delete_connections.run({text_parameter(dev_id), {TEXTARRAYOID, NullableValue(text_array_of(user_ids))}});
    }
    if (!derived.vanished_reauths.empty()) {
        std::vector<std::string> old_user_ids, new_user_ids;
        for (const Reauth& reauth : derived.vanished_reauths) {
            old_user_ids.push_back(reauth.old_user_id);
            new_user_ids.push_back(reauth.new_user_id);
        }
        delete_reauths.run({text_parameter(dev_id),
                            {TEXTARRAYOID, NullableValue(text_array_of(old_user_ids))},
                            {TEXTARRAYOID, NullableValue(text_array_of(new_user_ids))}});
    }
}

Datum jsonb_of(const nlohmann::json& json) {
    const std::string text = json.dump();
    return call([&] { return DirectFunctionCall1(jsonb_in, CStringGetDatum(text.c_str())); });
}

void write_changes(const Derived& derived, const std::string& dev_id) {
    const std::vector<Change> changes = changes_of(derived);
    if (changes.empty())
        return;
    Table table("changes", RowExclusiveLock);
    std::vector<HeapTuple> rows;
    rows.reserve(changes.size());
    for (const Change& change : changes)
        rows.push_back(table.form_row(std::array{
            NullableValue(Int64GetDatum(next_id(change_ids))),
            NullableValue(TimestampTzGetDatum(GetCurrentTimestamp())),
            change.event_id == 0 ? NullableValue() : NullableValue(Int64GetDatum(change.event_id)),
            NullableValue(text_of(change.kind)), NullableValue(text_of(dev_id)), NullableValue(text_of(change.user_id)),
            NullableValue(Int64GetDatum(change.lineage_id)), NullableValue(change.reference_id),
            change.detail.is_null() ? NullableValue() : NullableValue(jsonb_of(change.detail))}));
    insert(rows, table);
    table.close();
}

} // namespace

std::int64_t write(const Derived& derived, const Table& table, const std::string& dev_id) {
    std::vector<const Node*> changed;
    for (const Node& node : derived.nodes)
        if (node.changed())
            changed.push_back(&node);
    std::sort(changed.begin(), changed.end(),
              [](const Node* a, const Node* b) { return a->now.connection_id < b->now.connection_id; });
    if (!derived.vanished.empty() || !derived.vanished_reauths.empty())
        as_owner(table.owner(), [&] { delete_vanished(derived, dev_id); });
    move_lineages(derived, table, dev_id);
    write_connections(changed, table, dev_id);
    insert_reauths(derived.new_reauths, dev_id);
    write_changes(derived, dev_id);
    return static_cast<std::int64_t>(changed.size() + derived.vanished.size() + derived.new_reauths.size() +
                                     derived.vanished_reauths.size());
}

} // namespace terra_identity::tables
