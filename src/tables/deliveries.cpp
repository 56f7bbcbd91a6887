#include "tables/deliveries.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>
#include <tuple>
#include <utility>

#include "pg/hmac.h"
#include "pg/query.h"
#include "pg/relations.h"
#include "pg/row_writer.h"
#include "tables/delivery_watch.h"
#include "tables/locks.h"
#include "tables/owner.h"

namespace terra_identity::tables {

using namespace pg;

namespace {

/// Inserts keys, in the order in which they are given. A single key also goes through this query if the table has
/// triggers of others.
Query insert_deliveries = R"(
    INSERT INTO terra_identity.deliveries (dev_id, trace_id, digest, event_id)
    SELECT $1, d.* FROM unnest($2::text[], $3::bytea[], $4::bigint[]) d (trace_id, digest, event_id)
    ON CONFLICT DO NOTHING RETURNING event_id)";

Query delete_delivery = R"(
    DELETE FROM terra_identity.deliveries d WHERE d.dev_id = $1 AND d.trace_id = $2 AND d.digest = $3)";

Query insert_signature = R"(
    INSERT INTO terra_identity.signatures AS s (dev_id, digest, event_id)
    VALUES ($1, $2, $3)
    ON CONFLICT DO NOTHING)";

/// The columns of `deliveries` and `signatures` that hold the event_id, counted from 1.
constexpr int delivery_event_id = 4;
constexpr int signature_event_id = 3;

std::string_view bytes_of(const Digest& digest) {
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

std::optional<std::int64_t> find_event(const char* table_name, const char* index, const IndexKeys& keys, int column) {
    Table table(table_name, RowExclusiveLock);
    const HeapTuple row = find_or_wait(table.relation(), index, keys);
    std::optional<std::int64_t> event_id;
    if (row != nullptr)
        event_id = DatumGetInt64(attribute(row, table.columns(), column).value);
    table.close();
    return event_id;
}

constexpr int max_attempts = 10;

/// Inserts the key of one event directly, because a query would cost several times as much. Null if the table is not
/// plain: somebody gave it triggers, or indexes other than B-trees. @return whether the key was new
std::optional<bool> insert_key(const std::string& dev_id, const Delivered& delivery) {
    Table table("deliveries", RowExclusiveLock);
    RowWriter writer(table);
    std::optional<bool> is_new;
    // A conflict with a key that is gone by the next look is possible, but not again and again: then it is another
    // unique index, which somebody has added.
    for (int attempt = 0; writer.is_plain() && !is_new && attempt < max_attempts; ++attempt) {
        const HeapTuple row = table.form_row(std::array{
            NullableValue(text_of(dev_id)), NullableValue(text_of(*delivery.trace_id)),
            NullableValue(text_of(bytes_of(delivery.digest))), NullableValue(Int64GetDatum(delivery.event_id))});
        if (writer.insert_unless_there(row))
            is_new = true;
        else if (find_delivery({dev_id, *delivery.trace_id, delivery.digest}))
            is_new = false;
    }
    writer.finish();
    table.close();
    return is_new;
}

/// Inserts the keys of deliveries. @param deliveries with a trace id, sorted. @return the ids of the events whose keys
/// were new
std::set<std::int64_t> insert_keys(const std::string& dev_id, const std::vector<Delivered>& deliveries) {
    if (deliveries.size() == 1)
        if (const std::optional<bool> is_new = insert_key(dev_id, deliveries.front()))
            return *is_new ? std::set{deliveries.front().event_id} : std::set<std::int64_t>();
    std::vector<NullableValue> trace_ids, digests, event_ids;
    for (const Delivered& delivery : deliveries) {
        trace_ids.emplace_back(text_of(*delivery.trace_id));
        digests.emplace_back(text_of(bytes_of(delivery.digest)));
        event_ids.emplace_back(Int64GetDatum(delivery.event_id));
    }
    std::set<std::int64_t> ids;
    as_owner(owner_of_tables(), [&] {
        const SPITupleTable* const inserted = insert_deliveries.run({text_parameter(dev_id),
                                                                     {TEXTARRAYOID, array_of(trace_ids, TEXTOID)},
                                                                     {BYTEAARRAYOID, array_of(digests, BYTEAOID)},
                                                                     {INT8ARRAYOID, array_of(event_ids, INT8OID)}});
        for (std::uint64_t i = 0; i < Query::rows(); ++i)
            ids.insert(DatumGetInt64(column(inserted, i, 1).value));
    });
    return ids;
}

void delete_key(const std::string& dev_id, const Delivered& delivery) {
    as_owner(owner_of_tables(), [&] {
        delete_delivery.run(
            {text_parameter(dev_id), text_parameter(*delivery.trace_id), bytea_parameter(delivery.digest)});
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

Digest digest_of(const Jsonb* payload) {
    return sha256({reinterpret_cast<const char*>(&payload->root), VARSIZE(payload) - VARHDRSZ});
}

std::optional<std::int64_t> find_delivery(const DeliveryKey& key) {
    IndexKeys keys;
    keys.equals(key.dev_id).equals(key.trace_id).equals_bytes(bytes_of(key.digest));
    return find_event("deliveries", "deliveries_pkey", keys, delivery_event_id);
}

std::optional<std::int64_t> find_signature(const std::string& dev_id, const Digest& signed_content) {
    IndexKeys keys;
    keys.equals(dev_id).equals_bytes(bytes_of(signed_content));
    return find_event("signatures", "signatures_pkey", keys, signature_event_id);
}

bool add_signature(const std::string& dev_id, const Digest& signed_content, std::int64_t event_id) {
    bool is_new = false;
    as_owner(owner_of_tables(), [&] {
        insert_signature.run({text_parameter(dev_id), bytea_parameter(signed_content), id_parameter(event_id)});
        is_new = Query::rows() > 0;
    });
    return is_new;
}

std::set<std::int64_t> take_deliveries(const std::string& dev_id, std::vector<Delivered> deliveries) {
    const auto order = [](const Delivered& delivery) {
        return std::tie(delivery.trace_id, delivery.digest, delivery.event_id);
    };
    std::sort(deliveries.begin(), deliveries.end(),
              [&](const Delivered& a, const Delivered& b) { return order(a) < order(b); });
    std::vector<Delivered> traced;
    std::copy_if(deliveries.begin(), deliveries.end(), std::back_inserter(traced),
                 [](const Delivered& delivery) { return delivery.trace_id.has_value(); });

    std::set<std::int64_t> repeated;
    std::vector<ItemPointerData> places;
    const auto give_up = [&](const Delivered& delivery, std::optional<std::int64_t> earlier) {
        repeated.insert(delivery.event_id);
        places.push_back(delivery.place);
        if (DeliveryWatch* const watch = DeliveryWatch::of(delivery.event_id)) {
            watch->repeated = earlier;
            watch->removed = true;
        }
    };
    if (!traced.empty()) {
        const std::set<std::int64_t> taken = insert_keys(dev_id, traced);
        for (const Delivered& delivery : traced) {
            if (taken.contains(delivery.event_id))
                continue;
            const auto earlier = find_delivery({dev_id, *delivery.trace_id, delivery.digest});
            if (!earlier)
                throw Error{"23505",
                            "a unique index of terra_identity.deliveries refuses a delivery that is no repetition",
                            "Its trace id is \"" + *delivery.trace_id + "\".",
                            "Drop the unique index that was added to the table."};
            give_up(delivery, earlier);
        }
    }
    for (const Delivered& delivery : deliveries) {
        if (!delivery.signed_content || repeated.contains(delivery.event_id) ||
            add_signature(dev_id, *delivery.signed_content, delivery.event_id))
            continue;
        give_up(delivery, find_signature(dev_id, *delivery.signed_content));
        if (delivery.trace_id)
            delete_key(dev_id, delivery);
    }
    note_deliveries();
    if (!places.empty())
        remove_from_ledger(places);
    return repeated;
}

} // namespace terra_identity::tables
