#include "tables/connection_row.h"

#include "core/uuid.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>
#include <utility>

namespace terra_identity::tables {

using namespace pg;

namespace {

/// The values of one row by the numbers of its columns, counted from 1.
class Row {
public:
    Row(HeapTuple row, TupleDesc columns) {
        const auto count = static_cast<std::size_t>(columns->natts); // the table's owner may have added columns
        if (count > own_values_.size()) {
            added_values_.resize(count);
            added_nulls_.reset(new bool[count]);
            values_ = added_values_.data();
            nulls_ = added_nulls_.get();
        }
        heap_deform_tuple(row, columns, values_, nulls_);
    }

    bool is_null(int column) const { return nulls_[column - 1]; }
    Datum value(int column) const { return values_[column - 1]; }

    void read(int column, std::int64_t& id) const { id = DatumGetInt64(value(column)); }
    void read(int column, bool& flag) const { flag = !is_null(column) && DatumGetBool(value(column)); }
    void read(int column, std::string& text) const { text = string_of(value(column)); }
    void read(int column, Uuid& uuid) const { uuid = uuid_value(value(column)); }
    void read(int column, Status& status) const {
        status = status_of(string_of(value(column))).value_or(Status::active);
    }

    template <class T>
    void read(int column, std::optional<T>& value) const {
        if (!is_null(column))
            read(column, value.emplace());
    }

    void read_time(int column, Micros& time) const {
        if (!is_null(column))
            time = micros_of(value(column));
    }
    void read_time(int column, std::optional<Micros>& time) const {
        if (!is_null(column))
            time = micros_of(value(column));
    }

private:
    std::array<Datum, connection_column_count> own_values_;
    std::array<bool, connection_column_count> own_nulls_;
    std::vector<Datum> added_values_;
    std::unique_ptr<bool[]> added_nulls_;
    Datum* values_ = own_values_.data();
    bool* nulls_ = own_nulls_.data();
};

Written& present(Register& written) { return written ? *written : written.emplace(); }

/// Reads every column by itself, without comparing columns.
void read(const Row& row, Connection& connection) {
    Facts& facts = connection.facts;
    for_each_connection_column(ByKind{
        [&](const column::Id& id, int number) { row.read(number, connection.*id.member); },
        [&]<class T>(const column::Derived<T>& derived, int number) {
            if constexpr (is_time<T>)
                row.read_time(number, connection.*derived.member);
            else
                row.read(number, connection.*derived.member);
        },
        [&](const column::Least& least, int number) { row.read_time(number, facts.*least.fact); },
        [&](const column::Greatest& greatest, int number) { row.read_time(number, facts.*greatest.fact); },
        [&](const column::Any& any, int number) { row.read(number, facts.*any.fact); },
        [&](const column::Value& value, int number) {
            if (!row.is_null(number))
                row.read(number, present(facts.*value.fact).value);
        },
        [&](const column::WrittenAt& at, int number) {
            if (!row.is_null(number))
                row.read_time(number, present(facts.*at.fact).at);
        },
        [&](const column::WrittenInPassing& passing, int number) {
            if (bool is_passing = false; row.read(number, is_passing), is_passing)
                present(facts.*passing.fact).passing = true;
        },
        [](const auto&, int) {},
    });
}

/// Resets every fact that has only one of its value and its time, for a row must have both or neither. Compares
/// computed columns with the facts. @return whether the row was consistent
bool make_consistent(const Row& row, Connection& connection) {
    Facts& facts = connection.facts;
    bool consistent = true;
    const auto require = [&](Register& written, int number) {
        if (written && row.is_null(number)) {
            written.reset();
            consistent = false;
        }
    };
    for_each_connection_column(ByKind{
        [&](const column::Value& value, int number) { require(facts.*value.fact, number); },
        [&](const column::WrittenAt& at, int number) { require(facts.*at.fact, number); },
        [](const auto&, int) {},
    });
    for_each_connection_column(ByKind{
        [&](const column::Computed& computed, int number) {
            bool stored = false;
            row.read(number, stored);
            consistent = consistent && stored == (facts.*computed.compute)();
        },
        [&](const column::AsUuid& as_uuid, int number) {
            std::optional<Uuid> stored;
            row.read(number, stored);
            consistent = consistent && stored == parse_uuid(connection.*as_uuid.id);
        },
        [](const auto&, int) {},
    });
    return consistent;
}

NullableValue datum_of(std::int64_t id) { return Int64GetDatum(id); }
NullableValue datum_of(bool flag) { return BoolGetDatum(flag); }
NullableValue datum_of(const std::string& text) { return text_of(text); }
NullableValue datum_of(const std::optional<std::string>& text) { return text; }
NullableValue datum_of(Status status) { return text_of(to_string(status)); }
NullableValue datum_of(const Uuid& uuid) { return uuid_of(uuid); }
NullableValue time_of(Micros time) { return timestamptz_of(time); }
NullableValue time_of(const std::optional<Micros>& time) { return time; }

} // namespace

Connection connection_of(HeapTuple tuple, TupleDesc columns) {
    const Row row(tuple, columns);
    Connection connection;
    read(row, connection);
    connection.consistent = make_consistent(row, connection);
    return connection;
}

HeapTuple row_of(const Connection& connection, const std::string& dev_id, const Table& table, HeapTuple present) {
    std::array<NullableValue, connection_column_count> values;
    const Facts& facts = connection.facts;
    const auto set = [&values](int number, const NullableValue& value) {
        values[static_cast<std::size_t>(number) - 1] = value;
    };
    for_each_connection_column(ByKind{
        [&](const column::DevId&, int number) { set(number, datum_of(dev_id)); },
        [&](const column::Id& id, int number) { set(number, datum_of(connection.*id.member)); },
        [&]<class T>(const column::Derived<T>& derived, int number) {
            if constexpr (is_time<T>)
                set(number, time_of(connection.*derived.member));
            else
                set(number, datum_of(connection.*derived.member));
        },
        [&](const column::Least& least, int number) { set(number, time_of(facts.*least.fact)); },
        [&](const column::Greatest& greatest, int number) { set(number, time_of(facts.*greatest.fact)); },
        [&](const column::Any& any, int number) { set(number, datum_of(facts.*any.fact)); },
        [&](const column::Value& value, int number) {
            if (const Register& written = facts.*value.fact)
                set(number, datum_of(written->value));
        },
        [&](const column::WrittenAt& at, int number) {
            if (const Register& written = facts.*at.fact)
                set(number, time_of(written->at));
        },
        [&](const column::WrittenInPassing& passing, int number) {
            const Register& written = facts.*passing.fact;
            set(number, datum_of(written && written->passing));
        },
        [&](const column::Computed& computed, int number) { set(number, datum_of((facts.*computed.compute)())); },
        [&](const column::AsUuid& as_uuid, int number) {
            if (const auto uuid = parse_uuid(connection.*as_uuid.id))
                set(number, datum_of(*uuid));
        },
    });
    return table.form_row(values, present);
}

std::vector<HeapTuple> find_connections(const Table& connections, const std::string& dev_id,
                                        const std::vector<std::string>& user_ids, Reads reads) {
    // In the order of the index, because neighbours in it lie on the same pages.
    std::vector<std::string_view> sorted(user_ids.begin(), user_ids.end());
    std::sort(sorted.begin(), sorted.end());
    std::vector<IndexKeys> wanted;
    wanted.reserve(sorted.size());
    for (const std::string_view user_id : sorted)
        wanted.push_back(std::move(IndexKeys().equals(user_id).equals(dev_id)));
    const IndexScan scan{
        .table = connections.relation(), .index = "connections_user_id_key", .reads = reads, .limit = 1};
    return scan.fetch(wanted);
}

} // namespace terra_identity::tables
