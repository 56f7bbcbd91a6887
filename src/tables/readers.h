// Which environments a role may read: what the table `readers` says, and the policies of all other tables ask.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pg/relations.h"

namespace terra_identity::tables {

/// The environments that a role may read, by itself or as a member of another role.
struct ReadableEnvironments {
    bool all = false;
    std::vector<std::string> dev_ids; ///< sorted; what is readable unless all are

    bool none() const { return !all && dev_ids.empty(); }
    bool include(std::string_view dev_id) const;
};

/// A session remembers them until they change.
ReadableEnvironments environments_readable_by(Oid role);

/// Whether the owner of the table made a permissive policy for reading, which shows rows to others than readers.
bool has_permissive_policy_of_owner(Oid table);

/// Whether a query of the caller would find every row of an environment in the table: no privilege on a column is
/// missing, and no policy hides a row. Then an index scan finds the same.
bool caller_reads(const pg::Table& table, const std::string& dev_id);

/// Whether that holds of the ledger but for its payloads and headers, on which the caller has no privilege. For
/// functions that read these for such a caller, as the owner, and tell only what follows from them.
bool caller_reads_all_but_payloads(const pg::Table& events, const std::string& dev_id);

/// Whether row security shows the caller the rules of an environment: also where they have no row, which is for views
/// to make up.
bool shows_environment(const std::string& dev_id);

/// Whether the caller is subject to row security, and no reader of the environment.
bool readers_policy_hides(const pg::Table& table, const std::string& dev_id);

/// Whether row security keeps rows of the table from the caller, who is a reader of some environments only. Who is no
/// reader at all is not restricted: privileges alone decide what such a role can write.
bool caller_is_restricted(const pg::Table& table);

} // namespace terra_identity::tables
