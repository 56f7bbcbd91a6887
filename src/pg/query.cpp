#include "pg/query.h"

#include <array>

namespace terra_identity::pg {
namespace raising {
namespace {

void set_local(const char* name, const char* value) {
    set_config_option(name, value, PGC_SUSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/// The plans are meant to follow the indexes whatever the statistics of young tables say, for that is what keeps the
/// cost of an event flat; none of the queries wants a whole table.
void set_planning() {
    set_local("enable_seqscan", "off");
    set_local("enable_hashjoin", "off");
    set_local("enable_mergejoin", "off");
    set_local("row_security", "off");
    set_local("jit", "off"); // what enable_seqscan adds to a cost would call for it
}

/// For queries that want the first rows of an index: what would read all of them, and sort, is off.
void set_index_order() {
    for (const char* name : {"enable_seqscan", "enable_bitmapscan", "enable_sort", "enable_incremental_sort",
                             "enable_hashjoin", "enable_mergejoin", "jit"})
        set_local(name, "off");
}

} // namespace
} // namespace raising

namespace {

void run_as(Oid owner, void (*set_planning)(), const std::function<void()>& body) {
    Oid user = InvalidOid;
    int security_context = 0;
    int nest_level = 0;
    // What this sets is set back by the abort if the body throws.
    call([&] {
        GetUserIdAndSecContext(&user, &security_context);
        SetUserIdAndSecContext(owner, security_context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_NOFORCE_RLS);
        nest_level = NewGUCNestLevel();
        raising::set_local("search_path", "pg_catalog, pg_temp");
        if (set_planning != nullptr)
            set_planning();
        SPI_connect();
    });
    body();
    call([&] {
        SPI_finish();
        AtEOXact_GUC(true, nest_level);
        SetUserIdAndSecContext(user, security_context);
    });
}

} // namespace

void as_owner(Oid owner, const std::function<void()>& body) { run_as(owner, raising::set_planning, body); }

void as_owner_by_index(Oid owner, const std::function<void()>& body) { run_as(owner, raising::set_index_order, body); }

void as_definer(Oid owner, const std::function<void()>& body) { run_as(owner, nullptr, body); }

void as_caller(const std::function<void()>& body) {
    call([] { SPI_connect(); });
    body();
    call([] { SPI_finish(); });
}

void as_caller_by_index(const std::function<void()>& body) {
    // What this sets is set back by the abort if the body throws.
    const int nest_level = call([] {
        const int level = NewGUCNestLevel();
        raising::set_index_order();
        SPI_connect();
        return level;
    });
    body();
    call([nest_level] {
        SPI_finish();
        AtEOXact_GUC(true, nest_level);
    });
}

SPITupleTable* Query::run(std::span<const Parameter> parameters, Reads reads) {
    constexpr std::size_t max_parameters = 16;
    std::array<Oid, max_parameters> types{};
    std::array<Datum, max_parameters> values{};
    std::array<char, max_parameters + 1> nulls{};
    int count = 0;
    if (parameters.size() > max_parameters)
        throw Error{internal, "too many parameters"};
    for (const Parameter& parameter : parameters) {
        const auto i = static_cast<std::size_t>(count++);
        types[i] = parameter.type;
        values[i] = parameter.value.value;
        nulls[i] = parameter.value.is_null ? 'n' : ' ';
    }
    const int code = call([&] {
        if (plan_ == nullptr) {
            SPIPlanPtr plan = SPI_prepare_cursor(text_, count, types.data(), CURSOR_OPT_GENERIC_PLAN);
            if (plan == nullptr)
                elog(ERROR, "could not prepare a query: %s", SPI_result_code_string(SPI_result));
            SPI_keepplan(plan);
            plan_ = plan;
        }
        if (reads == Reads::statement)
            return SPI_execute_plan(plan_, values.data(), nulls.data(), true, 0);
        if (!IsolationUsesXactSnapshot())
            return SPI_execute_plan(plan_, values.data(), nulls.data(), false, 0);
        // As foreign keys do it: read what is committed, refuse to write what the transaction cannot see.
        return SPI_execute_snapshot(plan_, values.data(), nulls.data(), raising::snapshot_of(reads),
                                    GetTransactionSnapshot(), false, true, 0);
    });
    if (code < 0)
        throw Error{internal, std::string("could not run a query: ") + SPI_result_code_string(code)};
    return SPI_tuptable;
}

Query::Parameter ids_parameter(const std::vector<std::int64_t>& ids) {
    std::vector<NullableValue> values;
    values.reserve(ids.size());
    for (const std::int64_t id : ids)
        values.push_back(Int64GetDatum(id));
    return {INT8ARRAYOID, NullableValue(array_of(values, INT8OID))};
}

NullableValue column(const SPITupleTable* result, std::uint64_t row, int number) {
    return attribute(result->vals[row], result->tupdesc, number);
}

} // namespace terra_identity::pg
