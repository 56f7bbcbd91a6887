// An environment as a whole: derived again from its facts, from the ledger, or compared with it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pg/guard.h"
#include "pg/relations.h"

namespace terra_identity::pg {

/// Derives everything again if the rules of the environment are not those that its connections were derived by.
/// Within `as_owner`. Takes the environment for itself.
void follow_rules(const Table& table, const std::string& dev_id);

/// The first environment after this one that has connections; empty if there is none. Within `as_owner`.
std::string next_environment(const std::string& dev_id);

/// Derives everything again from the ledger, keeping connection_ids. @return how many rows changed
std::int64_t rebuild(const std::string& dev_id);

/// One way in which the stored state and the ledger disagree.
struct Difference {
    std::string user_id;
    std::string column;
    std::optional<std::string> stored;
    std::optional<std::string> derived;
};

/// Compares the state with the ledger, as the calling statement sees both; changes nothing.
std::vector<Difference> verify(const std::string& dev_id);

} // namespace terra_identity::pg
