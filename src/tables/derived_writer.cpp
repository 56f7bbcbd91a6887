#include "tables/derived_writer.h"

#include "core/changes.h"
#include "core/disconnects.h"
#include "core/interrupts.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <utility>

#include "pg/jsonb.h"
#include "pg/query.h"
#include "pg/row_versions.h"
#include "pg/row_writer.h"
#include "pg/scratch.h"
#include "tables/accepted_duplicates.h"
#include "tables/connection_row.h"
#include "tables/disconnects.h"
#include "tables/ids.h"
#include "tables/known_connections.h"
#include "tables/settings.h"

extern "C" {
#include "commands/async.h"
}

namespace terra_identity::tables {

using namespace pg;

namespace {

Query delete_connections = R"(
    DELETE FROM terra_identity.connections c WHERE c.dev_id = $1 AND c.user_id = ANY ($2))";

Query delete_reauths = R"(
    DELETE FROM terra_identity.reauths r USING unnest($2::text[], $3::text[]) d (old_user_id, new_user_id)
    WHERE r.dev_id = $1 AND r.old_user_id = d.old_user_id AND r.new_user_id = d.new_user_id)";

/// Whether a row has to be written before rows of connections that take over its slots: unique indexes are checked row
/// by row.
bool frees_slots(const Node& node) {
    return node.stored && node.stored->status == Status::active &&
           (node.now.status != Status::active || node.stored->slots() != node.now.slots());
}

/// Whether sessions may remember another end user for the connection.
bool has_new_reference(const Node& node) {
    return node.stored && settled(node.stored->facts) && node.stored->reference_id() != node.now.reference_id();
}

using Nodes = std::vector<const Node*>;

/// So many connections are written at once: few enough that a cancel is heeded soon, and that progress is told.
constexpr std::size_t written_at_once = 2'000;

/// How many connections are written, told to whoever waits for it.
class Written {
public:
    Written(ToldProgress* progress, std::size_t total) : progress_(progress) {
        if (progress_ != nullptr)
            progress_->begin("connections written", total);
    }
    void add(std::size_t connections) {
        done_ += connections;
        if (progress_ != nullptr)
            progress_->at(done_);
    }

private:
    ToldProgress* progress_;
    std::size_t done_ = 0;
};

/// Calls write(first, last) for one portion of the items after another. What it allocates is freed after each, unless
/// there is only one.
template <class Items, class F>
void in_portions(Items& items, const F& write) {
    if (items.size() <= written_at_once) {
        if (!items.empty())
            write(items.begin(), items.end());
        return;
    }
    const Scratch scratch;
    for (auto first = items.begin(); first != items.end();) {
        check_interrupts();
        const auto last =
            std::next(first, std::min<std::ptrdiff_t>(written_at_once, std::distance(first, items.end())));
        scratch.run([&] { write(first, last); });
        first = last;
    }
    scratch.close();
}

void insert(const std::vector<HeapTuple>& rows, const Table& table) {
    if (rows.empty())
        return;
    RowWriter writer(table);
    writer.insert(rows);
    writer.finish();
}

/// Sorts the connections and returns their newest rows, locked. The owner may have updated columns of his own since the
/// store read the rows.
std::vector<HeapTuple> lock(std::vector<Connection>& connections, const TableStore& store) {
    std::sort(connections.begin(), connections.end(),
              [](const Connection& a, const Connection& b) { return a.user_id < b.user_id; });
    std::vector<std::string> user_ids;
    user_ids.reserve(connections.size());
    for (const Connection& connection : connections)
        user_ids.push_back(connection.user_id);
    const std::vector<HeapTuple> present = find_connections(store.table(), store.dev_id(), user_ids, Reads::latest);
    if (present.size() != connections.size())
        throw Error{internal, "a connection is gone that is to be updated"};
    return lock_newest(store.table(), present);
}

void update(std::vector<Connection> connections, TableStore& store) {
    if (connections.empty())
        return;
    const Table& table = store.table();
    const bool has_columns_of_owner = table.columns()->natts > static_cast<int>(connection_column_count);
    const std::vector<HeapTuple> present =
        has_columns_of_owner ? lock(connections, store) : std::vector<HeapTuple>(connections.size());
    std::vector<RowWriter::Update> updates;
    updates.reserve(connections.size());
    for (std::size_t i = 0; i < connections.size(); ++i) {
        check_interrupts();
        updates.push_back({has_columns_of_owner ? present[i]->t_self : store.place_of(connections[i].connection_id),
                           row_of(connections[i], store.dev_id(), table, present[i])});
    }
    RowWriter writer(table);
    writer.update(updates);
    writer.finish();
    for (std::size_t i = 0; i < connections.size(); ++i)
        store.set_place(connections[i].connection_id, updates[i].row->t_self);
}

void update_in_portions(std::vector<Connection>& connections, TableStore& store, Written& written) {
    in_portions(connections, [&](auto first, auto last) {
        update({std::move_iterator(first), std::move_iterator(last)}, store);
        written.add(last - first);
    });
}

void write_connections(const Nodes& changed, TableStore& store, ToldProgress* progress) {
    std::vector<Connection> leaving, staying;
    Nodes added;
    for (const Node* node : interruptible(changed)) {
        if (!node->stored) {
            added.push_back(node);
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
    Written written(progress, leaving.size() + staying.size() + added.size());
    update_in_portions(leaving, store, written);
    update_in_portions(staying, store, written);
    in_portions(added, [&](auto first, auto last) {
        std::vector<HeapTuple> rows;
        for (auto node = first; node != last; ++node)
            rows.push_back(row_of((*node)->now, store.dev_id(), store.table()));
        insert(rows, store.table());
        written.add(last - first);
    });
}

/// Updates the lineage_id of members that the derivation did not load. Those that it loaded are among its nodes.
void move_lineages(const Derived& derived, TableStore& store) {
    for (const auto& [old_lineage_id, new_lineage_id] : derived.moved_lineages) {
        std::vector<Connection> moved;
        for (Connection& connection : store.lineages({old_lineage_id}))
            if (!derived.nodes.contains(connection.user_id)) {
                connection.lineage_id = new_lineage_id;
                moved.push_back(std::move(connection));
            }
        update(std::move(moved), store);
    }
}

void insert_reauths(const std::set<Reauth>& reauths, const std::string& dev_id) {
    if (reauths.empty())
        return;
    Table table("reauths", RowExclusiveLock);
    in_portions(reauths, [&](auto first, auto last) {
        std::vector<HeapTuple> rows;
        for (auto reauth = first; reauth != last; ++reauth)
            rows.push_back(table.form_row(std::array{
                NullableValue(text_of(dev_id)), NullableValue(text_of(reauth->old_user_id)),
                NullableValue(text_of(reauth->new_user_id)), NullableValue(BoolGetDatum(reauth->transfer))}));
        insert(rows, table);
    });
    table.close();
}

/// Deletes connections and reauths that are stored but not in the ledger.
void delete_vanished(const Derived& derived, const std::string& dev_id) {
    if (!derived.vanished.empty()) {
        std::vector<std::string> user_ids;
        for (const Connection& connection : derived.vanished)
            user_ids.push_back(connection.user_id);
        delete_connections.run({text_parameter(dev_id), texts_parameter(user_ids)});
    }
    if (!derived.vanished_reauths.empty()) {
        std::vector<std::string> old_user_ids, new_user_ids;
        for (const Reauth& reauth : derived.vanished_reauths) {
            old_user_ids.push_back(reauth.old_user_id);
            new_user_ids.push_back(reauth.new_user_id);
        }
        delete_reauths.run({text_parameter(dev_id), texts_parameter(old_user_ids), texts_parameter(new_user_ids)});
    }
}

HeapTuple row_of(const Change& change, const std::string& dev_id, const Table& table) {
    return table.form_row(std::array{
        NullableValue(Int64GetDatum(next_id(change_ids))), NullableValue(TimestampTzGetDatum(GetCurrentTimestamp())),
        change.event_id == 0 ? NullableValue() : NullableValue(Int64GetDatum(change.event_id)),
        NullableValue(text_of(change.kind)), NullableValue(text_of(dev_id)), NullableValue(text_of(change.user_id)),
        NullableValue(Int64GetDatum(change.lineage_id)), NullableValue(change.reference_id),
        change.detail.is_null() ? NullableValue() : NullableValue(JsonbPGetDatum(jsonb_of(change.detail)))});
}

void write_changes(const Derived& derived, const std::string& dev_id) {
    std::vector<Change> changes = changes_of(derived);
    if (changes.empty())
        return;
    tell_accepted(changes, dev_id);
    Table table("changes", RowExclusiveLock);
    in_portions(changes, [&](auto first, auto last) {
        std::vector<HeapTuple> rows;
        for (auto change = first; change != last; ++change)
            rows.push_back(row_of(*change, dev_id, table));
        insert(rows, table);
    });
    table.close();
    // Without a payload: whoever listens need not be one who may read. The server sends equal ones once.
    if (setting_notify())
        call([] { Async_Notify("terra_identity", ""); });
}

} // namespace

std::int64_t write(const Derived& derived, TableStore& store, OnDuplicate on_duplicate, ToldProgress* progress) {
    std::vector<const Node*> changed;
    for (const Node& node : derived.nodes)
        if (node.changed())
            changed.push_back(&node);
    std::sort(changed.begin(), changed.end(),
              [](const Node* a, const Node* b) { return a->now.connection_id < b->now.connection_id; });
    if (!derived.vanished.empty() || !derived.vanished_reauths.empty())
        as_owner(store.table().owner(), [&] { delete_vanished(derived, store.dev_id()); });
    move_lineages(derived, store);
    write_connections(changed, store, progress);
    insert_reauths(derived.new_reauths, store.dev_id());
    write_changes(derived, store.dev_id());
    if (std::any_of(changed.begin(), changed.end(), [](const Node* node) { return has_new_reference(*node); }))
        forget_connections_everywhere();
    write_disconnects(accounts_to_disconnect(derived), on_duplicate, store);
    return static_cast<std::int64_t>(changed.size() + derived.vanished.size() + derived.new_reauths.size() +
                                     derived.vanished_reauths.size());
}

} // namespace terra_identity::tables
