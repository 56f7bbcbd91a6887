// resolve, lineage_of and user_of: which connection a user_id or a lineage_id stands for now.
#include <utility>

#include "pg/datum.h"
#include "pg/function.h"
#include "pg/query.h"
#include "pg/relations.h"
#include "tables/connection_row.h"
#include "tables/empty_copy.h"
#include "tables/readers.h"

extern "C" {
#include "utils/datum.h"
}

namespace terra_identity {
namespace {

using namespace pg;
using namespace tables;

Query select_lineage_of_user = R"(
    SELECT c.lineage_id FROM terra_identity.connections c
    WHERE c.dev_id OPERATOR(pg_catalog.=) $1 AND c.user_id OPERATOR(pg_catalog.=) $2)";

Query select_lineage_of_id = R"(
    SELECT c.lineage_id FROM terra_identity.connections c
    WHERE c.dev_id OPERATOR(pg_catalog.=) $1 AND c.connection_id OPERATOR(pg_catalog.=) $2)";

Query select_newest_active = R"(
    SELECT c.user_id FROM terra_identity.connections c
    WHERE c.dev_id OPERATOR(pg_catalog.=) $1 AND c.lineage_id OPERATOR(pg_catalog.=) $2
      AND c.status OPERATOR(pg_catalog.=) 'active'
    ORDER BY c.dated DESC, c.connected_at DESC, c.user_id COLLATE "C" DESC LIMIT 1)";

Query select_active_user = R"(
    SELECT c.user_id FROM terra_identity.connections c
    WHERE c.dev_id OPERATOR(pg_catalog.=) $1 AND c.user_id OPERATOR(pg_catalog.=) $2
      AND c.status OPERATOR(pg_catalog.=) 'active')";

constexpr int user_id_column = connection_column("user_id");
constexpr int lineage_id_column = connection_column("lineage_id");
constexpr int status_column = connection_column("status");

using Value = std::optional<Datum>;

/// Reads `connections` with the privileges and the row security of the caller. For a caller who may read the whole
/// environment it uses index scans, because a query would cost several times as much.
class Connections {
public:
    explicit Connections(Datum dev_id)
        : table_("connections", AccessShareLock), dev_id_(dev_id), all_(caller_reads(table_, string_of(dev_id))) {}

    /// The user_id itself if its connection is active, else that of the newest active connection of its lineage.
    Value resolve(Datum user_id) {
        if (all_) {
            const std::vector<HeapTuple> rows = scan("connections_user_id_key").fetch(keys_of(user_id));
            if (rows.empty())
                return std::nullopt;
            const auto value = [&](int column) { return attribute(rows.front(), table_.columns(), column).value; };
            return string_of(value(status_column)) == active_ ? value(user_id_column)
                                                              : newest_active(value(lineage_id_column));
        }
        if (const Value active = ask(select_active_user, TEXTOID, user_id))
            return active;
        const Value lineage_id = lineage_of_user(user_id);
        return lineage_id ? newest_active(*lineage_id) : std::nullopt;
    }

    Value lineage_of_user(Datum user_id) {
        return all_ ? first(lineage_id_column, scan("connections_user_id_key"), keys_of(user_id))
                    : ask(select_lineage_of_user, TEXTOID, user_id);
    }

    Value lineage_of_id(Datum connection_id) {
        return all_ ? first(lineage_id_column, scan("connections_key"), keys().equals(DatumGetInt64(connection_id)))
                    : ask(select_lineage_of_id, INT8OID, connection_id);
    }

    Value newest_active(Datum lineage_id) {
        IndexScan newest = scan("connections_lineage_idx");
        newest.backward = true;
        return all_ ? first(user_id_column, newest, keys().equals(DatumGetInt64(lineage_id)).equals(active_))
                    : ask(select_newest_active, INT8OID, lineage_id);
    }

    void close() { table_.close(); }

private:
    IndexScan scan(const char* index) const {
        return {.table = table_.relation(), .index = index, .reads = Reads::statement, .limit = 1};
    }

    IndexKeys keys() const { return std::move(IndexKeys().equals(string_of(dev_id_))); }
    IndexKeys keys_of(Datum user_id) const {
        return std::move(IndexKeys().equals(string_of(user_id)).equals(string_of(dev_id_)));
    }

    Value first(int column, const IndexScan& scan, const IndexKeys& keys) const {
        const std::vector<HeapTuple> rows = scan.fetch(keys);
        if (rows.empty())
            return std::nullopt;
        bool is_null;
        return heap_getattr(rows.front(), column, table_.columns(), &is_null);
    }

    Value ask(Query& query, Oid type, Datum id) const {
        const MemoryContext caller = CurrentMemoryContext;
        Value result;
        as_caller([&] {
            const SPITupleTable* const found =
                query.run({{TEXTOID, NullableValue(dev_id_)}, {type, NullableValue(id)}}, Reads::statement);
            if (Query::rows() == 0)
                return;
            result = call([=] {
                const MemoryContext spi = MemoryContextSwitchTo(caller);
                const FormData_pg_attribute* const described = TupleDescAttr(found->tupdesc, 0);
                const Datum copy = datumCopy(pg::column(found, 0, 1).value, described->attbyval, described->attlen);
                MemoryContextSwitchTo(spi);
                return copy;
            });
        });
        return result;
    }

    Table table_;
    Datum dev_id_;
    bool all_;
    const std::string active_{to_string(Status::active)};
};

Datum returned(FunctionCallInfo fcinfo, const Value& value) {
    fcinfo->isnull = !value;
    return value.value_or(Datum{0});
}

} // namespace

PG_FUNCTION(terra_identity_can_answer) {
    refuse_on_empty_copy();
    return BoolGetDatum(true);
}

PG_FUNCTION(terra_identity_resolve) {
    refuse_on_empty_copy();
    Connections connections(PG_GETARG_DATUM(1));
    const Value user_id = connections.resolve(PG_GETARG_DATUM(0));
    connections.close();
    return returned(fcinfo, user_id);
}

PG_FUNCTION(terra_identity_lineage_of) {
    refuse_on_empty_copy();
    Connections connections(PG_GETARG_DATUM(1));
    const Value lineage_id = connections.lineage_of_user(PG_GETARG_DATUM(0));
    connections.close();
    return returned(fcinfo, lineage_id);
}

PG_FUNCTION(terra_identity_user_of) {
    refuse_on_empty_copy();
    Connections connections(PG_GETARG_DATUM(1));
    const Value lineage_id = connections.lineage_of_id(PG_GETARG_DATUM(0));
    const Value user_id = lineage_id ? connections.newest_active(*lineage_id) : std::nullopt;
    connections.close();
    return returned(fcinfo, user_id);
}

} // namespace terra_identity
