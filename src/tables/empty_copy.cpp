#include "tables/empty_copy.h"

#include <string_view>

#include "pg/errors.h"
#include "pg/query.h"
#include "pg/relations.h"

namespace terra_identity::tables {

using namespace pg;

namespace {

Query select_any_connection = "SELECT FROM terra_identity.connections LIMIT 1";

/// Citus's own connections between its servers are named so, and carry a number: "citus_internal gpid=10000000123".
constexpr std::string_view name_of_citus = "citus_internal";

bool is_session_of_citus() {
    return application_name != nullptr && std::string_view(application_name).starts_with(name_of_citus);
}

} // namespace

void refuse_on_empty_copy() {
    if (!is_session_of_citus())
        return;
    bool is_empty = false;
    Table connections("connections", AccessShareLock);
    as_owner(connections.owner(), [&is_empty] {
        select_any_connection.run({}, Reads::statement);
        is_empty = Query::rows() == 0;
    });
    connections.close();
    if (is_empty)
        throw Error{"55000", "this copy of terra_identity is empty, and cannot answer",
                    "Citus sent the function to a worker. It has created the extension there, too, but the "
                    "connections are on the coordinator.",
                    "Write (SELECT terra_identity.resolve(...)) instead of terra_identity.resolve(...), and the same "
                    "for other functions: then the coordinator answers before it asks the workers."};
}

} // namespace terra_identity::tables
