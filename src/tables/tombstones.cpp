#include "tables/tombstones.h"

#include "core/hex.h"
#include "core/renaming.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_set>

#include "pg/hmac.h"
#include "pg/query.h"
#include "pg/relations.h"
#include "tables/owner.h"
#include "tables/rule_memory.h"
#include "tables/sqlstates.h"

extern "C" {
#include "port.h"
}

namespace terra_identity::tables {

using namespace pg;

namespace {

/// The columns of `tombstones` and `tombstone_key`, in their order in sql/install, counted from 1.
enum TombstoneColumn : AttrNumber { tombstone_dev_id = 1, tombstone_kind, tombstone_hash, tombstone_key_check };
enum KeyColumn : AttrNumber { key_key = 1 };

constexpr std::size_t key_bytes = 32;

Query insert_tombstone = R"(
    INSERT INTO terra_identity.tombstones (dev_id, kind, hash, key_check) VALUES ($1, $2, $3, $4)
    ON CONFLICT DO NOTHING)";

Query delete_tombstone = "DELETE FROM terra_identity.tombstones t WHERE t.dev_id = $1 AND t.kind = $2 AND t.hash = $3";

Query select_tombstone = "SELECT FROM terra_identity.tombstones LIMIT 1";

Query select_other_key = "SELECT FROM terra_identity.tombstones t WHERE t.key_check <> $1 LIMIT 1";

Query upsert_key = R"(
    INSERT INTO terra_identity.tombstone_key AS k (key) VALUES ($1)
    ON CONFLICT (only_one) DO UPDATE SET key = excluded.key)";

std::string bytes_of(const Digest& digest) { return {reinterpret_cast<const char*>(digest.data()), digest.size()}; }

std::string to_string(IdKind kind) { return kind == IdKind::user ? "user" : "reference"; }

Query::Parameter bytes_parameter(const std::string& bytes) { return {BYTEAOID, NullableValue(text_of(bytes))}; }

std::string random_bytes(std::size_t count) {
    std::string bytes(count, '\0');
    if (!call([&bytes] { return pg_strong_random(bytes.data(), bytes.size()); }))
        throw Error{internal, "the server has no random numbers"};
    return bytes;
}

/// The parts of what is hashed are told apart by a zero byte, which no id has.
std::string hash_of(const std::string& key, const char* purpose, const std::string& kind, const std::string& dev_id,
                    const std::string& id) {
    const std::string nothing(1, '\0');
    return bytes_of(hmac_sha256(key, purpose + nothing, kind + nothing + dev_id + nothing + id));
}

std::string tombstone_of(const std::string& key, const std::string& dev_id, IdKind kind, const std::string& id) {
    return hash_of(key, "tombstone", to_string(kind), dev_id, id);
}

[[noreturn]] void refuse_without_key() {
    throw Error{no_tombstone_key, "the key of the tombstones is missing",
                "Whether a delivery is of a person who was forgotten cannot be known without it. It is not part of a "
                "dump, and the one that is set, if any, is another one.",
                "Call terra_identity.set_tombstone_key() with the key that terra_identity.tombstone_key() returned in "
                "the database that was dumped."};
}

/// What is known of an environment's tombstones.
struct Tombstones {
    bool exist = false;
    std::optional<std::string> key; ///< if all were made with it
};

constinit Remembered<Tombstones> remembered_tombstones;

/// At most this many ids are remembered as not forgotten.
constexpr std::size_t max_clear = 16'384;

/// Ids that are not forgotten, as long as no tombstone is written: kind, dev_id and id with zero bytes between them.
struct ClearIds {
    std::unordered_set<std::string> ids;
    std::uint64_t as_of = 0;
};

ClearIds* clear = nullptr;

/// Whether all tombstones of an environment were made with a key: a restore may bring others. By the first and the last
/// in the order of these.
bool are_all_of(const std::string& key, const std::string& dev_id) {
    Table tombstones("tombstones", AccessShareLock);
    bool result = true;
    for (const bool backward : {false, true}) {
        const IndexScan by_check{
            .table = tombstones.relation(), .index = "tombstones_key_check_idx", .backward = backward, .limit = 1};
        for (const HeapTuple row : by_check.fetch(IndexKeys().equals(dev_id)))
            result = result &&
                     string_of(attribute(row, tombstones.columns(), tombstone_key_check).value) == key_check_of(key);
    }
    tombstones.close();
    return result;
}

Tombstones read_tombstones(const std::string& dev_id) {
    Tombstones result;
    Table tombstones("tombstones", AccessShareLock);
    const IndexScan by_key{.table = tombstones.relation(), .index = "tombstones_pkey", .limit = 1};
    result.exist = !by_key.fetch(IndexKeys().equals(dev_id)).empty();
    tombstones.close();
    if (result.exist)
        result.key = find_tombstone_key();
    if (result.key && !are_all_of(*result.key, dev_id))
        result.key.reset();
    return result;
}

Tombstones tombstones_of(const std::string& dev_id) {
    if (const Tombstones* const remembered = remembered_tombstones.find(dev_id))
        return *remembered;
    const RuleReading reading;
    Tombstones result = read_tombstones(dev_id);
    remembered_tombstones.remember(reading, dev_id, result);
    return result;
}

} // namespace

std::string key_check_of(const std::string& key) { return hash_of(key, "check", "", "", "").substr(0, 8); }

std::optional<std::string> find_tombstone_key() {
    std::optional<std::string> key;
    Table table("tombstone_key", AccessShareLock);
    for (const HeapTuple row : table.all(Reads::latest))
        key = string_of(attribute(row, table.columns(), key_key).value);
    table.close();
    return key;
}

std::string tombstone_key_or_new() {
    if (const auto key = find_tombstone_key()) {
        as_owner(owner_of_tables(), [&] {
            select_other_key.run({bytes_parameter(key_check_of(*key))});
            if (Query::rows() > 0)
                refuse_without_key();
        });
        return *key;
    }
    const std::string key = random_bytes(key_bytes);
    as_owner(owner_of_tables(), [&] {
        select_tombstone.run({});
        if (Query::rows() > 0)
            refuse_without_key();
        upsert_key.run({bytes_parameter(key)});
    });
    return key;
}

void set_tombstone_key(const std::string& key) {
    if (key.size() != key_bytes)
        throw Error{"22023", "the key of the tombstones has " + std::to_string(key_bytes) + " bytes", "",
                    "Give what terra_identity.tombstone_key() returned."};
    as_owner(owner_of_tables(), [&] {
        select_other_key.run({bytes_parameter(key_check_of(key))});
        if (Query::rows() > 0)
            throw Error{"22023", "the tombstones were made with another key",
                        "With this one, nobody who was forgotten would be known.",
                        "Give what terra_identity.tombstone_key() returned in the database that they come from."};
        upsert_key.run({bytes_parameter(key)});
    });
}

std::string new_name_of_forgotten() {
    constexpr std::size_t named_bytes = 16;
    std::string name(forgotten_prefix);
    for (const char byte : random_bytes(named_bytes)) {
        name += hex_digits[static_cast<unsigned char>(byte) >> 4];
        name += hex_digits[static_cast<unsigned char>(byte) & 15];
    }
    return name;
}

std::int64_t add_tombstones(const std::string& key, const std::string& dev_id, IdKind kind,
                            const std::vector<std::string>& ids) {
    std::int64_t added = 0;
    for (const std::string& id : ids) {
        insert_tombstone.run({text_parameter(dev_id), text_parameter(to_string(kind)),
                              bytes_parameter(tombstone_of(key, dev_id, kind, id)),
                              bytes_parameter(key_check_of(key))});
        added += static_cast<std::int64_t>(Query::rows());
    }
    return added;
}

bool remove_tombstone(const std::string& key, const std::string& dev_id, IdKind kind, const std::string& id) {
    delete_tombstone.run({text_parameter(dev_id), text_parameter(to_string(kind)),
                          bytes_parameter(tombstone_of(key, dev_id, kind, id))});
    return Query::rows() > 0;
}

bool has_tombstones(const std::string& dev_id) { return tombstones_of(dev_id).exist; }

bool is_forgotten(const std::string& dev_id, IdKind kind, const std::string& id) {
    const Tombstones tombstones = tombstones_of(dev_id);
    if (!tombstones.exist)
        return false;
    if (!tombstones.key)
        refuse_without_key();
    if (clear == nullptr)
        clear = new ClearIds;
    if (clear->as_of != rule_changes() || clear->ids.size() == max_clear)
        clear->ids.clear();
    clear->as_of = rule_changes();
    const std::string nothing(1, '\0');
    std::string remembered = to_string(kind) + nothing + dev_id + nothing + id;
    if (clear->ids.contains(remembered))
        return false;
    const bool is_told = remembered_tombstones.find(dev_id) != nullptr; // else a change would not be noticed
    Table table("tombstones", AccessShareLock);
    const IndexScan by_key{.table = table.relation(), .index = "tombstones_pkey", .limit = 1};
    const bool found = !by_key
                            .fetch(std::move(IndexKeys()
                                                 .equals(dev_id)
                                                 .equals(to_string(kind))
                                                 .equals_bytes(tombstone_of(*tombstones.key, dev_id, kind, id))))
                            .empty();
    table.close();
    if (!found && is_told && clear->as_of == rule_changes())
        clear->ids.insert(std::move(remembered));
    return found;
}

bool is_any_forgotten(const std::string& dev_id, const NamedIds& named) {
    const auto is_one = [&](IdKind kind, const std::vector<std::string>& ids) {
        return std::any_of(ids.begin(), ids.end(),
                           [&](const std::string& id) { return is_forgotten(dev_id, kind, id); });
    };
    return is_one(IdKind::user, named.user_ids) || is_one(IdKind::reference, named.reference_ids);
}

bool names_forgotten(const std::string& dev_id, const JsonbView& payload) {
    if (!has_tombstones(dev_id))
        return false;
    const NamedIds named = named_ids(payload);
    return is_any_forgotten(dev_id, named) ||
           std::any_of(named.user_ids.begin(), named.user_ids.end(), is_name_of_forgotten);
}

} // namespace terra_identity::tables
