#include "tables/connection_row.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>
#include <utility>

namespace terra_identity::tables {

using namespace pg;

namespace {

/// The values of one row by column.
class Row {
public:
    Row(HeapTuple row, TupleDesc columns) {
        const auto count = static_cast<std::size_t>(columns->natts); // the owner may have added some
        if (count > own_values_.size()) {
            added_values_.resize(count);
            added_nulls_.reset(new bool[count]);
            values_ = added_values_.data();
            nulls_ = added_nulls_.get();
        }
        heap_deform_tuple(row, columns, values_, nulls_);
    }

    std::int64_t number(ConnectionColumn column) const { return DatumGetInt64(value(column)); }
    bool flag(ConnectionColumn column) const { return !is_null(column) && DatumGetBool(value(column)); }
    std::string text(ConnectionColumn column) const { return string_of(value(column)); }

    std::optional<std::string> text_or_null(ConnectionColumn column) const {
        return is_null(column) ? std::nullopt : std::optional(text(column));
    }

    std::optional<Micros> time(ConnectionColumn column) const {
        return is_null(column) ? std::nullopt : std::optional(micros_of(value(column)));
    }

    /// A value and its time are there or not there together; without them nothing was said in passing.
    Register written(ConnectionColumn column, ConnectionColumn at, bool passing = false) {
        if (!is_null(column) && !is_null(at))
            return Written{text(column), micros_of(value(at)), passing};
        consistent_ = consistent_ && is_null(column) && is_null(at) && !passing;
        return std::nullopt;
    }

    bool consistent() const { return consistent_; }

private:
    Datum value(ConnectionColumn column) const { return values_[static_cast<std::size_t>(column) - 1]; }
    bool is_null(ConnectionColumn column) const { return nulls_[static_cast<std::size_t>(column) - 1]; }

    std::array<Datum, connection_columns> own_values_;
    std::array<bool, connection_columns> own_nulls_;
    std::vector<Datum> added_values_;
    std::unique_ptr<bool[]> added_nulls_;
    Datum* values_ = own_values_.data();
    bool* nulls_ = own_nulls_.data();
    bool consistent_ = true;
};

} // namespace

Connection connection_of(HeapTuple tuple, TupleDesc columns) {
    Row row(tuple, columns);
    Connection connection;
    connection.connection_id = row.number(col_connection_id);
    connection.user_id = row.text(col_user_id);
    connection.lineage_id = row.number(col_lineage_id);
    connection.provider_user_id = row.text_or_null(col_provider_user_id);
    connection.status = status_of(row.text(col_status)).value_or(Status::active);
    connection.successor_user_id = row.text_or_null(col_successor_user_id);
    connection.ended_at = row.time(col_ended_at);
    connection.sdk = row.flag(col_sdk);
    connection.account_exclusive = row.flag(col_account_exclusive);
    connection.account_unusable = row.flag(col_account_unusable);
    connection.connected_at = row.time(col_connected_at).value_or(0);
    connection.duplicate = row.flag(col_duplicate);
    connection.cyclic = row.flag(col_cyclic);

    Facts& facts = connection.facts;
    facts.created_at = row.time(col_created_at);
    facts.first_seen_at = row.time(col_first_seen_at);
    facts.live = row.flag(col_live);
    facts.confirmed = row.flag(col_confirmed);
    facts.alive_at = row.time(col_alive_at);
    facts.replaced = row.written(col_replaced_by, col_replaced_at);
    facts.deauthenticated_at = row.time(col_deauthenticated_at);
    facts.revoked_at = row.time(col_revoked_at);
    facts.failed_at = row.time(col_failed_at);
    facts.degraded_at = row.time(col_degraded_at);
    facts.provider = row.written(col_provider, col_provider_at, row.flag(col_provider_passing));
    facts.reference_id = row.written(col_reference_id, col_reference_id_at, row.flag(col_reference_id_passing));
    facts.scopes = row.written(col_scopes, col_scopes_at, row.flag(col_scopes_passing));
    facts.provider_user_id = row.written(col_own_provider_user_id, col_own_provider_user_id_at);
    connection.consistent = row.consistent() && row.flag(col_dated) == facts.dated();
    return connection;
}

HeapTuple row_of(const Connection& connection, const std::string& dev_id, const Table& table, HeapTuple present) {
    std::array<NullableValue, connection_columns> values{};
    const auto set = [&](ConnectionColumn column, const NullableValue& value) {
        values[static_cast<std::size_t>(column) - 1] = value;
    };
    const auto set_written = [&](ConnectionColumn column, ConnectionColumn at, const Register& written) {
        if (!written)
            return;
        set(column, text_of(written->value));
        set(at, timestamptz_of(written->at));
    };
    const auto passing = [](const Register& written) { return BoolGetDatum(written && written->passing); };

    const Facts& facts = connection.facts;
    set(col_connection_id, Int64GetDatum(connection.connection_id));
    set(col_dev_id, text_of(dev_id));
    set(col_user_id, text_of(connection.user_id));
    set(col_lineage_id, Int64GetDatum(connection.lineage_id));
    set(col_provider_user_id, connection.provider_user_id);
    set(col_status, text_of(to_string(connection.status)));
    set(col_successor_user_id, connection.successor_user_id);
    set(col_ended_at, connection.ended_at);
    set(col_sdk, BoolGetDatum(connection.sdk));
    set(col_account_exclusive, BoolGetDatum(connection.account_exclusive));
    set(col_account_unusable, BoolGetDatum(connection.account_unusable));
    set(col_duplicate, BoolGetDatum(connection.duplicate));
    set(col_cyclic, BoolGetDatum(connection.cyclic));
    set(col_created_at, facts.created_at);
    set(col_first_seen_at, facts.first_seen_at);
    set(col_connected_at, timestamptz_of(connection.connected_at));
    set(col_dated, BoolGetDatum(facts.dated()));
    set(col_live, BoolGetDatum(facts.live));
    set(col_confirmed, BoolGetDatum(facts.confirmed));
    set(col_alive_at, facts.alive_at);
    set_written(col_replaced_by, col_replaced_at, facts.replaced);
    set(col_deauthenticated_at, facts.deauthenticated_at);
    set(col_revoked_at, facts.revoked_at);
    set(col_failed_at, facts.failed_at);
    set(col_degraded_at, facts.degraded_at);
    set_written(col_provider, col_provider_at, facts.provider);
    set(col_provider_passing, passing(facts.provider));
    set_written(col_reference_id, col_reference_id_at, facts.reference_id);
    set(col_reference_id_passing, passing(facts.reference_id));
    set_written(col_scopes, col_scopes_at, facts.scopes);
    set(col_scopes_passing, passing(facts.scopes));
    set_written(col_own_provider_user_id, col_own_provider_user_id_at, facts.provider_user_id);
    return table.form_row(values, present);
}

std::vector<HeapTuple> find_connections(const Table& connections, const std::string& dev_id,
                                        const std::vector<std::string>& user_ids, Reads reads) {
    // In the order of the index: neighbours in it lie on the same pages.
    std::vector<std::string_view> sorted(user_ids.begin(), user_ids.end());
    std::sort(sorted.begin(), sorted.end());
    std::vector<IndexKeys> wanted;
    wanted.reserve(sorted.size());
    for (const std::string_view user_id : sorted)
        wanted.push_back(std::move(IndexKeys().equals(dev_id).equals(user_id)));
    const IndexScan scan{.table = connections.relation(), .index = "connections_pkey", .reads = reads, .limit = 1};
    return scan.fetch(wanted);
}

} // namespace terra_identity::tables
