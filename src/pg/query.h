// Queries through SPI: prepared once for each backend.
#pragma once

#include <functional>
#include <initializer_list>
#include <optional>
#include <span>
#include <vector>

#include "pg/index_scan.h"
#include "pg/guard.h"

namespace terra_identity::pg {

/// Runs body connected to SPI, as the owner of the extension's tables, with a search_path of pg_catalog alone.
/// @param owner the role that owns the tables
void as_owner(Oid owner, const std::function<void()>& body);

/// The same for queries that want the first rows of an index, in its order.
void as_owner_by_index(Oid owner, const std::function<void()>& body);

/// Runs body as in a SECURITY DEFINER function: for writes that fire triggers of the application. All other settings of
/// the caller stay in force, those of the planner included, so that look-ups belong into `as_owner`.
void as_definer(Oid owner, const std::function<void()>& body);

/// Runs body with the caller's own privileges, policies and search_path, so that its queries must qualify every
/// operator.
void as_caller(const std::function<void()>& body);

/// The same for look-ups of a bounded number of rows: their plans follow the order of an index, if there is one,
/// whatever the statistics of young tables say.
void as_caller_by_index(const std::function<void()>& body);

/// A statement whose plan is kept: the types of its parameters are the same each time. Constant-initialised; of static
/// storage.
class Query {
public:
    constexpr Query(const char* text) : text_(text) {}

    struct Parameter {
        Oid type;
        NullableValue value;
    };

    /// Runs it. The result is good until the end of `as_owner` and the like, its count until the next query.
    /// At REPEATABLE READ and above a write to a row that the transaction cannot see raises 40001.
    SPITupleTable* run(std::span<const Parameter> parameters, Reads reads = Reads::latest);
    SPITupleTable* run(std::initializer_list<Parameter> parameters, Reads reads = Reads::latest) {
        return run(std::span(parameters.begin(), parameters.size()), reads);
    }

    /// The number of rows that the last query returned or wrote.
    static std::uint64_t rows() { return SPI_processed; }

private:
    const char* text_;
    SPIPlanPtr plan_ = nullptr;
};

/// A column of a query's result, counted from 1; good as long as the result is.
NullableValue column(const SPITupleTable* result, std::uint64_t row, int number);

/// A parameter of type bytea.
inline Query::Parameter bytea_parameter(std::span<const unsigned char> bytes) {
    return {BYTEAOID, NullableValue(text_of({reinterpret_cast<const char*>(bytes.data()), bytes.size()}))};
}

/// A parameter of type bigint.
inline Query::Parameter id_parameter(std::int64_t id) { return {INT8OID, NullableValue(Int64GetDatum(id))}; }

/// A parameter of type text.
inline Query::Parameter text_parameter(const std::string& text) { return {TEXTOID, NullableValue(text_of(text))}; }
inline Query::Parameter nullable_text_parameter(const std::optional<std::string>& text) {
    return {TEXTOID, NullableValue(text)};
}

/// A parameter of type text[].
inline Query::Parameter texts_parameter(const std::vector<std::string>& texts) {
    return {TEXTARRAYOID, NullableValue(text_array_of(texts))};
}

/// A parameter of type bigint[].
Query::Parameter ids_parameter(const std::vector<std::int64_t>& ids);

/// A parameter of type timestamptz.
inline Query::Parameter timestamptz_parameter(TimestampTz time) {
    return {TIMESTAMPTZOID, NullableValue(TimestampTzGetDatum(time))};
}

} // namespace terra_identity::pg
