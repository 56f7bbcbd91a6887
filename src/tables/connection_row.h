// Reads a row of the table `connections` into a Connection, and makes a row from one.
#pragma once

#include "core/connection_columns.h"

#include <string>
#include <vector>

#include "pg/relations.h"

namespace terra_identity::tables {

using namespace pg;

Connection connection_of(HeapTuple row, TupleDesc columns);

/// Makes the row of a connection. @param present the row's present version, if there is one
HeapTuple row_of(const Connection& connection, const std::string& dev_id, const Table& table,
                 HeapTuple present = nullptr);

/// Finds the rows of these connections through the primary key, in the order of their user_ids. A connection without a
/// row is left out.
std::vector<HeapTuple> find_connections(const Table& connections, const std::string& dev_id,
                                        const std::vector<std::string>& user_ids, Reads reads);

} // namespace terra_identity::tables
