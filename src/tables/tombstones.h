// Tombstones: of whom forget() has erased, keyed hashes of the ids alone, by which a delivery that names one of them is
// known and not kept. The key is in a table of its own, which is not part of a dump.
#pragma once

#include "core/json.h"
#include "core/named_ids.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pg/jsonb.h"

namespace terra_identity::tables {

using namespace pg;

/// What a tombstone stands for.
enum class IdKind { user, reference };

/// A hash of the key itself, which is stored with every tombstone: only the right key has it.
std::string key_check_of(const std::string& key);

/// The key; null if there is none.
std::optional<std::string> find_tombstone_key();

/// The key; makes it if there is none. Must be called by one session at a time.
/// @throws Error TI005 if there are tombstones that were made with another one
std::string tombstone_key_or_new();

/// Writes the key. @throws Error 22023 if the tombstones were made with another one
void set_tombstone_key(const std::string& key);

/// What stands in the place of an id in what is left of a person: random, so that it tells nothing, and is no name that
/// there is already.
std::string new_name_of_forgotten();

/// Write and remove tombstones. Within `as_owner`. @return how many were new, or were removed
std::int64_t add_tombstones(const std::string& key, const std::string& dev_id, IdKind kind,
                            const std::vector<std::string>& ids);
bool remove_tombstone(const std::string& key, const std::string& dev_id, IdKind kind, const std::string& id);

/// Whether anybody of an environment was forgotten. This backend remembers it.
bool has_tombstones(const std::string& dev_id);

/// Whether an id is a forgotten one. This backend remembers which are not, because data comes again and again for the
/// same ones. @throws Error TI005 if there are tombstones, but not the key of all of them
bool is_forgotten(const std::string& dev_id, IdKind kind, const std::string& id);

/// Whether any of the ids is a forgotten one.
bool is_any_forgotten(const std::string& dev_id, const NamedIds& named);

/// Whether a payload names a forgotten id, in any role, or what stands in the place of one.
bool names_forgotten(const std::string& dev_id, const JsonbView& payload);

} // namespace terra_identity::tables
