// A row of `connections`, read into a core Connection and made from one.
#pragma once

#include "core/connection.h"

#include <string>
#include <vector>

#include "pg/relations.h"

namespace terra_identity::tables {

using namespace pg;

/// The columns in their order in sql/install/03_connections.sql, counted from 1.
enum ConnectionColumn : AttrNumber {
    col_connection_id = 1,
    col_dev_id,
    col_user_id,
    col_lineage_id,
    col_reference_id,
    col_provider,
    col_provider_user_id,
    col_status,
    col_successor_user_id,
    col_confirmed,
    col_scopes,
    col_created_at,
    col_first_seen_at,
    col_connected_at,
    col_ended_at,
    col_live,
    col_dated,
    col_alive_at,
    col_replaced_at,
    col_replaced_by,
    col_deauthenticated_at,
    col_revoked_at,
    col_failed_at,
    col_degraded_at,
    col_own_provider_user_id,
    col_own_provider_user_id_at,
    col_provider_at,
    col_provider_passing,
    col_reference_id_at,
    col_reference_id_passing,
    col_scopes_at,
    col_scopes_passing,
    col_sdk,
    col_account_exclusive,
    col_account_unusable,
    col_duplicate,
    col_cyclic,
    connection_columns = col_cyclic,
};

Connection connection_of(HeapTuple row, TupleDesc columns);

/// @param present the row's present version, if there is one
HeapTuple row_of(const Connection& connection, const std::string& dev_id, const Table& table,
                 HeapTuple present = nullptr);

/// The rows of those of the connections that there are, in the order of their user_ids, through the primary key.
std::vector<HeapTuple> find_connections(const Table& connections, const std::string& dev_id,
                                        const std::vector<std::string>& user_ids, Reads reads);

} // namespace terra_identity::tables
