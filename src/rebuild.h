// An environment as a whole: derived again from its facts, from the ledger, or compared with it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/differences.h"
#include "pg/guard.h"
#include "pg/relations.h"

namespace terra_identity {

/// Derives an environment again if its connections were derived by another account policy than it has. It is taken for
/// itself. Within `as_owner`, as the next one.
void follow_policy(const pg::Table& table, const std::string& dev_id);

/// Derives those environments again whose connections were derived by other rules of this provider than it has. Nobody
/// may write connections meanwhile.
void follow_provider(const pg::Table& table, const std::string& provider);

/// Derives everything again from the ledger, keeping connection_ids. @return how many rows changed
std::int64_t rebuild(const std::string& dev_id);

/// Compares the state with the ledger, as the calling statement sees both; changes nothing.
std::vector<Difference> verify(const std::string& dev_id);

} // namespace terra_identity
