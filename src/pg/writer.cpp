#include "core/changes.h"
#include "pg/writer.h"

#include "pg/connection_row.h"
#include "pg/query.h"

#include <algorithm>

namespace terra_identity::pg {
namespace {

Query update_connections = R"(
    UPDATE terra_identity.connections c SET
        lineage_id = r.lineage_id, reference_id = r.reference_id, provider = r.provider,
        provider_user_id = r.provider_user_id, status = r.status, successor_user_id = r.successor_user_id,
        confirmed = r.confirmed, scopes = r.scopes, created_at = r.created_at, first_seen_at = r.first_seen_at,
        connected_at = r.connected_at, ended_at = r.ended_at, live = r.live, alive_at = r.alive_at,
        replaced_at = r.replaced_at, replaced_by = r.replaced_by, deauthenticated_at = r.deauthenticated_at,
        revoked_at = r.revoked_at, failed_at = r.failed_at, degraded_at = r.degraded_at,
        own_provider_user_id = r.own_provider_user_id, own_provider_user_id_at = r.own_provider_user_id_at,
        provider_at = r.provider_at, provider_passing = r.provider_passing, reference_id_at = r.reference_id_at,
        reference_id_passing = r.reference_id_passing, scopes_at = r.scopes_at, scopes_passing = r.scopes_passing,
        sdk = r.sdk, account_exclusive = r.account_exclusive, duplicate = r.duplicate, cyclic = r.cyclic
    FROM unnest($1) r
    WHERE c.dev_id = r.dev_id AND c.user_id = r.user_id)";

Query insert_connections = R"(
    INSERT INTO terra_identity.connections OVERRIDING SYSTEM VALUE SELECT r.* FROM unnest($1) r)";

Query move_lineages = R"(
    UPDATE terra_identity.connections c SET lineage_id = m.new_lineage_id
    FROM unnest($2::bigint[], $3::bigint[]) m (old_lineage_id, new_lineage_id)
    WHERE c.dev_id = $1 AND c.lineage_id = m.old_lineage_id AND c.user_id <> ALL ($4::text[]))";

Query insert_reauths = R"(
    INSERT INTO terra_identity.reauths (dev_id, old_user_id, new_user_id)
    SELECT $1, r.old_user_id, r.new_user_id FROM unnest($2::text[], $3::text[]) r (old_user_id, new_user_id))";

Query delete_connections = R"(
    DELETE FROM terra_identity.connections c WHERE c.dev_id = $1 AND c.user_id = ANY ($2))";

Query delete_reauths = R"(
    DELETE FROM terra_identity.reauths r USING unnest($2::text[], $3::text[]) d (old_user_id, new_user_id)
    WHERE r.dev_id = $1 AND r.old_user_id = d.old_user_id AND r.new_user_id = d.new_user_id)";

Query insert_changes = R"(
    INSERT INTO terra_identity.changes (dev_id, event_id, kind, user_id, lineage_id, reference_id, detail)
    SELECT $1, c.event_id, c.kind, c.user_id, c.lineage_id, c.reference_id, c.detail::jsonb
    FROM unnest($2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[])
        WITH ORDINALITY c (event_id, kind, user_id, lineage_id, reference_id, detail, number)
    ORDER BY c.number)";

/// Rows to be written in one statement.
class Rows {
public:
    Rows(const ConnectionsTable& table, const std::string& dev_id) : table_(table), dev_id_(dev_id) {}

    void add(const Connection& connection) { rows_.emplace_back(row_of(connection, dev_id_, table_.columns())); }

    void write(Query& query) {
        if (rows_.empty())
            return;
        const Oid element_type = call([this] { return get_element_type(table_.row_array_type()); });
        query.run({{table_.row_array_type(), NullableValue(array_of(rows_, element_type))}});
        if (Query::rows() != rows_.size())
            throw Error{"40001", "could not serialize access due to concurrent update",
                        "A connection that this statement changes is not visible to its transaction.",
                        "Try the transaction again."};
    }

private:
    const ConnectionsTable& table_;
    const std::string& dev_id_;
    std::vector<NullableValue> rows_;
};

/// Whether a row has to leave its slots before others can take them: the unique indexes are checked row by row.
bool frees_slots(const Node& node) {
    return node.stored && node.stored->status == Status::active &&
           (node.now.status != Status::active || node.stored->slots() != node.now.slots());
}

void write_connections(const std::vector<const Node*>& changed, const ConnectionsTable& table, const std::string& dev_id) {
    Rows leaving(table, dev_id), staying(table, dev_id), added(table, dev_id);
    for (const Node* node : changed) {
        if (!node->stored) {
            added.add(node->now);
        } else if (!frees_slots(*node)) {
            staying.add(node->now);
        } else if (node->now.status != Status::active) {
            leaving.add(node->now);
        } else {
            Connection between = *node->stored;
            between.status = Status::superseded;
            leaving.add(between);
            staying.add(node->now);
        }
    }
    leaving.write(update_connections);
    staying.write(update_connections);
    added.write(insert_connections);
}

void write_lineages(const Derivation& derivation, const std::string& dev_id) {
    if (derivation.moved_lineages().empty())
        return;
    std::vector<std::int64_t> from, to;
    for (const auto& [old_lineage_id, new_lineage_id] : derivation.moved_lineages()) {
        from.push_back(old_lineage_id);
        to.push_back(new_lineage_id);
    }
    std::vector<std::string> loaded;
    for (const auto& [user_id, node] : derivation.nodes())
        if (node.stored)
            loaded.push_back(user_id);
    move_lineages.run({text_parameter(dev_id),
                       {INT8ARRAYOID, NullableValue(bigint_array_of(from))},
                       {INT8ARRAYOID, NullableValue(bigint_array_of(to))},
                       {TEXTARRAYOID, NullableValue(text_array_of(loaded))}});
}

void write_reauths(Query& query, const std::set<Reauth>& reauths, const std::string& dev_id) {
    if (reauths.empty())
        return;
    std::vector<std::string> old_user_ids, new_user_ids;
    for (const Reauth& reauth : reauths) {
        old_user_ids.push_back(reauth.old_user_id);
        new_user_ids.push_back(reauth.new_user_id);
    }
    query.run({text_parameter(dev_id),
               {TEXTARRAYOID, NullableValue(text_array_of(old_user_ids))},
               {TEXTARRAYOID, NullableValue(text_array_of(new_user_ids))}});
}

void write_vanished(const Derivation& derivation, const std::string& dev_id) {
    if (derivation.vanished().empty())
        return;
    std::vector<std::string> user_ids;
    for (const Connection& connection : derivation.vanished())
        user_ids.push_back(connection.user_id);
    delete_connections.run({text_parameter(dev_id), {TEXTARRAYOID, NullableValue(text_array_of(user_ids))}});
}

void write_changes(const Derivation& derivation, const std::string& dev_id) {
    const std::vector<Change> changes = changes_of(derivation);
    if (changes.empty())
        return;
    std::vector<NullableValue> event_ids, kinds, user_ids, lineage_ids, reference_ids, details;
    for (const Change& change : changes) {
        event_ids.push_back(change.event_id == 0 ? NullableValue() : NullableValue(Int64GetDatum(change.event_id)));
        kinds.emplace_back(text_of(change.kind));
        user_ids.emplace_back(text_of(change.user_id));
        lineage_ids.emplace_back(Int64GetDatum(change.lineage_id));
        reference_ids.emplace_back(change.reference_id);
        details.push_back(change.detail.is_null() ? NullableValue() : NullableValue(text_of(change.detail.dump())));
    }
    insert_changes.run({text_parameter(dev_id),
                        {INT8ARRAYOID, NullableValue(array_of(event_ids, INT8OID))},
                        {TEXTARRAYOID, NullableValue(array_of(kinds, TEXTOID))},
                        {TEXTARRAYOID, NullableValue(array_of(user_ids, TEXTOID))},
                        {INT8ARRAYOID, NullableValue(array_of(lineage_ids, INT8OID))},
                        {TEXTARRAYOID, NullableValue(array_of(reference_ids, TEXTOID))},
                        {TEXTARRAYOID, NullableValue(array_of(details, TEXTOID))}});
}

} // namespace

std::int64_t write(const Derivation& derivation, const ConnectionsTable& table, const std::string& dev_id) {
    std::vector<const Node*> changed;
    for (const auto& [user_id, node] : derivation.nodes())
        if (node.changed())
            changed.push_back(&node);
    std::sort(changed.begin(), changed.end(),
              [](const Node* a, const Node* b) { return a->now.connection_id < b->now.connection_id; });
    write_vanished(derivation, dev_id);
    write_connections(changed, table, dev_id);
    write_lineages(derivation, dev_id);
    write_reauths(delete_reauths, derivation.vanished_reauths(), dev_id);
    write_reauths(insert_reauths, derivation.new_reauths(), dev_id);
    write_changes(derivation, dev_id);
    return static_cast<std::int64_t>(changed.size() + derivation.vanished().size());
}

} // namespace terra_identity::pg
