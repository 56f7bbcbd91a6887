#include "tables/deliveries.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>

#include "pg/query.h"
#include "pg/relations.h"
#include "pg/row_writer.h"
#include "tables/delivery_watch.h"
#include "tables/locks.h"
#include "tables/owner.h"

extern "C" {
#include "common/hashfn.h"
}

namespace terra_identity::tables {

using namespace pg;

namespace {

std::string_view bytes_of(const SignedContent& content) {
    return {reinterpret_cast<const char*>(content.data()), content.size()};
}

/// A table of keys: `deliveries` or `signatures`.
struct KeyTable {
    const char* name;
    const char* index; ///< unique, on all columns but the event_id
    int event_id;      ///< the number of that column, counted from 1
    Query& insert;     ///< a row, unless its key is there; slower, for a table that has triggers of others
};

Query insert_delivery = R"(
    INSERT INTO terra_identity.deliveries (dev_id, trace_id, event_id, payload_hash)
    VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING)";

Query insert_signature = R"(
    INSERT INTO terra_identity.signatures (dev_id, digest, event_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING)";

Query delete_delivery = R"(
    DELETE FROM terra_identity.deliveries d WHERE d.dev_id = $1 AND d.trace_id = $2 AND d.payload_hash = $3)";

Query delete_signature = "DELETE FROM terra_identity.signatures s WHERE s.dev_id = $1 AND s.digest = $2";

const KeyTable deliveries_table{"deliveries", "deliveries_pkey", 3, insert_delivery};
const KeyTable signatures_table{"signatures", "signatures_pkey", 3, insert_signature};

IndexKeys keys_of(const DeliveryKey& key) {
    return std::move(IndexKeys().equals(key.trace_id).equals(key.dev_id).equals(key.payload_hash));
}

IndexKeys keys_of(const std::string& dev_id, const SignedContent& signed_content) {
    return std::move(IndexKeys().equals(dev_id).equals_bytes(bytes_of(signed_content)));
}

/// The event that has a key; null if there is none. Waits if another transaction is about to insert one.
std::optional<std::int64_t> find(const KeyTable& keys, const Table& table, const IndexKeys& key) {
    const HeapTuple row = find_or_wait(table.relation(), keys.index, key);
    if (row == nullptr)
        return std::nullopt;
    return DatumGetInt64(attribute(row, table.columns(), keys.event_id).value);
}

std::optional<std::int64_t> find(const KeyTable& keys, const IndexKeys& key) {
    Table table(keys.name, RowExclusiveLock);
    const std::optional<std::int64_t> event_id = find(keys, table, key);
    table.close();
    return event_id;
}

constexpr int max_attempts = 10;

/// Inserts a key, unless it is there. @return whether it was inserted
using Insert = std::function<bool()>;

/// The event that has a key already; null if the key was inserted. Looks again if another transaction has rolled back
/// meanwhile, but not again and again: then it is another index that refuses the key.
template <class KeysOf>
std::optional<std::int64_t> insert_or_find(const KeyTable& keys, const Table& table, const Insert& insert,
                                           const KeysOf& index_keys) {
    for (int attempt = 0; attempt < max_attempts; ++attempt) {
        if (insert())
            return std::nullopt;
        if (const auto earlier = find(keys, table, index_keys()))
            return earlier;
    }
    throw Error{"23505",
                std::string("a unique index that was added to terra_identity.") + keys.name + " refuses a new key", "",
                "Drop the index."};
}

/// Inserts keys, one after the other: directly, because a query would cost several times as much, or by a query if the
/// table has triggers of others. @param row_of the columns of the n-th @param index_keys_of the same for a look-up
/// @return for each the event that has the key already; null if the key is new
template <class RowOf, class KeysOf>
std::vector<std::optional<std::int64_t>> insert(const KeyTable& keys, std::size_t count, const RowOf& row_of,
                                                const KeysOf& index_keys_of) {
    std::vector<std::optional<std::int64_t>> earlier(count);
    Table table(keys.name, RowExclusiveLock);
    RowWriter writer(table);
    const bool is_plain = writer.is_plain();
    for (std::size_t n = 0; is_plain && n < count; ++n) {
        std::vector<NullableValue> values;
        for (const Query::Parameter& parameter : row_of(n))
            values.push_back(parameter.value);
        const HeapTuple row = table.form_row(values);
        earlier[n] = insert_or_find(
            keys, table, [&] { return writer.insert_unless_there(row); }, [&] { return index_keys_of(n); });
    }
    writer.finish();
    if (!is_plain)
        as_owner(table.owner(), [&] {
            const auto by_query = [&](std::size_t n) { return keys.insert.run(row_of(n)), Query::rows() > 0; };
            for (std::size_t n = 0; n < count; ++n)
                earlier[n] = insert_or_find(
                    keys, table, [&] { return by_query(n); }, [&] { return index_keys_of(n); });
        });
    table.close();
    return earlier;
}

/// Records the trace ids of deliveries that have one. @return for each the earlier event, if it is repeated
std::vector<std::optional<std::int64_t>> add_trace_ids(const std::string& dev_id,
                                                       std::span<const Delivered> deliveries) {
    const auto row = [&](std::size_t n) {
        return std::vector{text_parameter(dev_id), text_parameter(*deliveries[n].trace_id),
                           id_parameter(deliveries[n].event_id), id_parameter(deliveries[n].payload_hash)};
    };
    const auto key = [&](std::size_t n) {
        return keys_of(DeliveryKey{dev_id, *deliveries[n].trace_id, deliveries[n].payload_hash});
    };
    return insert(deliveries_table, deliveries.size(), row, key);
}

void delete_trace_id(const std::string& dev_id, const Delivered& delivery) {
    as_owner(owner_of_tables(), [&] {
        delete_delivery.run(
            {text_parameter(dev_id), text_parameter(*delivery.trace_id), id_parameter(delivery.payload_hash)});
    });
}

void remove_from_ledger(const std::vector<ItemPointerData>& places) {
    Table events("events", RowExclusiveLock);
    call([] { CommandCounterIncrement(); }); // so that the rows are visible: this command inserted them
    RowWriter writer(events);
    writer.remove(places);
    writer.finish();
    events.close();
}

} // namespace

std::int64_t hash_of(const Jsonb* payload) {
    return static_cast<std::int64_t>(hash_bytes_extended(reinterpret_cast<const unsigned char*>(&payload->root),
                                                         static_cast<int>(VARSIZE(payload) - VARHDRSZ), 0));
}

SignedContent signed_content_of(const Signature& signature, std::string_view body) {
    const auto hash = [](std::string_view text, std::uint64_t seed) {
        return hash_bytes_extended(reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()),
                                   seed);
    };
    const std::uint64_t words[] = {static_cast<std::uint64_t>(signature.time),
                                   hash(body, hash(signature.timestamp, 0))};
    SignedContent content{};
    for (std::size_t byte = 0; byte < content.size(); ++byte)
        content[byte] = static_cast<unsigned char>(words[byte / 8] >> (56 - 8 * (byte % 8)));
    return content;
}

std::optional<std::int64_t> find_delivery(const DeliveryKey& key) { return find(deliveries_table, keys_of(key)); }

std::optional<std::int64_t> find_signature(const std::string& dev_id, const SignedContent& signed_content) {
    return find(signatures_table, keys_of(dev_id, signed_content));
}

std::optional<std::int64_t> add_signature(const std::string& dev_id, const SignedContent& signed_content,
                                          std::int64_t event_id) {
    const auto row = [&](std::size_t) {
        return std::vector{text_parameter(dev_id), bytea_parameter(signed_content), id_parameter(event_id)};
    };
    return insert(signatures_table, 1, row, [&](std::size_t) { return keys_of(dev_id, signed_content); }).front();
}

std::optional<std::int64_t> take_delivery(const std::string& dev_id, const Delivered& delivery) {
    note_deliveries();
    std::optional<std::int64_t> earlier;
    if (delivery.trace_id)
        earlier = add_trace_ids(dev_id, {&delivery, 1}).front();
    if (!earlier && delivery.signed_content) {
        earlier = add_signature(dev_id, *delivery.signed_content, delivery.event_id);
        if (earlier && delivery.trace_id)
            delete_trace_id(dev_id, delivery);
    }
    return earlier;
}

void give_back_delivery(const std::string& dev_id, const Delivered& delivery) {
    if (delivery.trace_id)
        delete_trace_id(dev_id, delivery);
    if (delivery.signed_content)
        as_owner(owner_of_tables(), [&] {
            delete_signature.run({text_parameter(dev_id), bytea_parameter(*delivery.signed_content)});
        });
}

std::set<std::int64_t> take_deliveries(const std::string& dev_id, std::vector<Delivered> deliveries) {
    const auto order = [](const Delivered& delivery) {
        return std::tie(delivery.trace_id, delivery.payload_hash, delivery.event_id);
    };
    std::sort(deliveries.begin(), deliveries.end(),
              [&](const Delivered& a, const Delivered& b) { return order(a) < order(b); });
    std::vector<Delivered> traced;
    std::copy_if(deliveries.begin(), deliveries.end(), std::back_inserter(traced),
                 [](const Delivered& delivery) { return delivery.trace_id.has_value(); });

    std::set<std::int64_t> repeated;
    std::vector<ItemPointerData> places;
    const auto give_up = [&](const Delivered& delivery, std::int64_t earlier) {
        repeated.insert(delivery.event_id);
        places.push_back(delivery.place);
        if (DeliveryWatch* const watch = DeliveryWatch::of(delivery.event_id))
            watch->repeated = earlier;
    };
    const std::vector<std::optional<std::int64_t>> earlier = add_trace_ids(dev_id, traced);
    for (std::size_t n = 0; n < traced.size(); ++n)
        if (earlier[n])
            give_up(traced[n], *earlier[n]);
    for (const Delivered& delivery : deliveries) {
        if (!delivery.signed_content || repeated.contains(delivery.event_id))
            continue;
        const auto earlier = add_signature(dev_id, *delivery.signed_content, delivery.event_id);
        if (!earlier)
            continue;
        give_up(delivery, *earlier);
        if (delivery.trace_id)
            delete_trace_id(dev_id, delivery);
    }
    note_deliveries();
    if (!places.empty())
        remove_from_ledger(places);
    return repeated;
}

} // namespace terra_identity::tables
