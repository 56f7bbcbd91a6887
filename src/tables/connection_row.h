// A row of `connections`, read into a core Connection and made from one.
#pragma once

#include "core/connection_columns.h"

#include <string>
#include <vector>

#include "pg/relations.h"

namespace terra_identity::tables {

using namespace pg;

Connection connection_of(HeapTuple row, TupleDesc columns);

/// @param present the row's present version, if there is one
HeapTuple row_of(const Connection& connection, const std::string& dev_id, const Table& table,
                 HeapTuple present = nullptr);

/// The rows of those of the connections that there are, in the order of their user_ids, through the primary key.
std::vector<HeapTuple> find_connections(const Table& connections, const std::string& dev_id,
                                        const std::vector<std::string>& user_ids, Reads reads);

} // namespace terra_identity::tables
