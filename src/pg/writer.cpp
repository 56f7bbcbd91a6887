#include "core/changes.h"
#include "pg/writer.h"

#include "pg/connection_row.h"
#include "pg/query.h"
#include "pg/row_writer.h"

#include <algorithm>

namespace terra_identity::pg {
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

void update(const std::vector<Connection>& connections, const Table& table, const std::string& dev_id) {
    if (connections.empty())
        return;
    RowWriter writer(table);
    for (const Connection& connection : connections) {
        const HeapTuple old = find_connection(table, dev_id, connection.user_id, Reads::latest);
        if (old == nullptr)
            throw Error{internal, "connection \"" + connection.user_id + "\" is gone"};
        writer.update(old, row_of(connection, dev_id, table.columns()));
    }
    writer.finish();
}

void write_connections(const Nodes& changed, const Table& table, const std::string& dev_id) {
    std::vector<Connection> leaving, staying;
    std::vector<const Connection*> added;
    for (const Node* node : changed) {
        if (!node->stored) {
            added.push_back(&node->now);
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
    update(leaving, table, dev_id);
    update(staying, table, dev_id);
    if (added.empty())
        return;
    RowWriter writer(table);
    for (const Connection* connection : added)
        writer.insert(row_of(*connection, dev_id, table.columns()));
    writer.finish();
}

/// Moves the members that were not loaded; those that were are written with all else that changed of them.
void move_lineages(const Derivation& derivation, const Table& table, const std::string& dev_id) {
    if (derivation.moved_lineages().empty())
        return;
    const IndexScan members{.table = table.relation(), .index = relation_named("connections_lineage_idx")};
    for (const auto& [old_lineage_id, new_lineage_id] : derivation.moved_lineages()) {
        std::vector<Connection> moved;
        for (const HeapTuple row : members.fetch(IndexKeys().equals(dev_id).equals(old_lineage_id))) {
            Connection connection = connection_of(row, table.columns());
            if (derivation.nodes().contains(connection.user_id))
                continue;
            connection.lineage_id = new_lineage_id;
            moved.push_back(std::move(connection));
        }
        update(moved, table, dev_id);
    }
}

void insert_reauths(const std::set<Reauth>& reauths, const std::string& dev_id) {
    if (reauths.empty())
        return;
    Table table("reauths", RowExclusiveLock);
    RowWriter writer(table);
    for (const Reauth& reauth : reauths)
        writer.insert(
            form_row(table.columns(), {NullableValue(text_of(dev_id)), NullableValue(text_of(reauth.old_user_id)),
                                       NullableValue(text_of(reauth.new_user_id))}));
    writer.finish();
    table.close();
}

/// What a rebuild found to be no more. Within `as_owner`.
void delete_vanished(const Derivation& derivation, const std::string& dev_id) {
    if (!derivation.vanished().empty()) {
        std::vector<std::string> user_ids;
        for (const Connection& connection : derivation.vanished())
            user_ids.push_back(connection.user_id);
        delete_connections.run({text_parameter(dev_id), {TEXTARRAYOID, NullableValue(text_array_of(user_ids))}});
    }
    if (!derivation.vanished_reauths().empty()) {
        std::vector<std::string> old_user_ids, new_user_ids;
        for (const Reauth& reauth : derivation.vanished_reauths()) {
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

void write_changes(const Derivation& derivation, const std::string& dev_id) {
    const std::vector<Change> changes = changes_of(derivation);
    if (changes.empty())
        return;
    Table table("changes", RowExclusiveLock);
    RowWriter writer(table);
    for (const Change& change : changes)
        writer.insert(form_row(table.columns(),
                               {NullableValue(Int64GetDatum(next_value("changes_change_id_seq"))),
                                NullableValue(TimestampTzGetDatum(GetCurrentTimestamp())),
                                change.event_id == 0 ? NullableValue() : NullableValue(Int64GetDatum(change.event_id)),
                                NullableValue(text_of(change.kind)), NullableValue(text_of(dev_id)),
                                NullableValue(text_of(change.user_id)), NullableValue(Int64GetDatum(change.lineage_id)),
                                NullableValue(change.reference_id),
                                change.detail.is_null() ? NullableValue() : NullableValue(jsonb_of(change.detail))}));
    writer.finish();
    table.close();
}

} // namespace

std::int64_t write(const Derivation& derivation, const Table& table, const std::string& dev_id) {
    std::vector<const Node*> changed;
    for (const auto& [user_id, node] : derivation.nodes())
        if (node.changed())
            changed.push_back(&node);
    std::sort(changed.begin(), changed.end(),
              [](const Node* a, const Node* b) { return a->now.connection_id < b->now.connection_id; });
    delete_vanished(derivation, dev_id);
    move_lineages(derivation, table, dev_id);
    write_connections(changed, table, dev_id);
    insert_reauths(derivation.new_reauths(), dev_id);
    write_changes(derivation, dev_id);
    return static_cast<std::int64_t>(changed.size() + derivation.vanished().size() + derivation.new_reauths().size() +
                                     derivation.vanished_reauths().size());
}

} // namespace terra_identity::pg
