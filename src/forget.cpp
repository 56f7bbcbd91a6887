// forget, forget_user, remember, remember_user: erasing a person, and taking her events again; and the key of the
// tombstones.
#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include "core/renaming.h"
#include "core/text.h"

#include "correcting.h"
#include "forgetting.h"
#include "pg/function.h"
#include "pg/query.h"
#include "pg/relations.h"
#include "pg/result_rows.h"
#include "rebuild.h"
#include "tables/locks.h"
#include "tables/owner.h"
#include "tables/routes.h"
#include "tables/tombstones.h"

namespace terra_identity {
namespace {

using namespace pg;
using namespace tables;

/// The note of the corrections that end what is left of a person.
constexpr char note_of_end[] = "erased by forget()";

/// An id, trimmed. @throws Error 22004 if it is null, 22023 if no event can name it
std::string id_argument(const NullableValue& argument, const char* name) {
    if (argument.is_null)
        throw Error{"22004", std::string(name) + " is null", "", "Say whom."};
    std::string id(trim(pg::bytes_of(argument.value)));
    if (id.empty() || id.size() > max_id_bytes)
        throw Error{"22023", std::string(name) + (id.empty() ? " is empty" : " is longer than 512 bytes"),
                    "No event can name it."};
    if (is_name_of_forgotten(id))
        throw Error{"22023", std::string(name) + " is the name of somebody who was forgotten", "",
                    "What is left of her goes with the last whose connections follow from it."};
    return id;
}

/// Erases a person. From when it has read the ledger, nobody inserts into it, in whatever environment: who has begun to
/// is waited for, and who comes later finds the tombstones.
std::map<std::string, Erased> forget(const Forgotten& who, const std::string& dev_id) {
    std::optional<LedgerSearch> search;
    as_owner(owner_of_tables(), [&] {
        search.emplace(dev_id, who.reference_id, user_ids_of(who, dev_id));
        search->read_settled();
    });
    lock_feed(dev_id, true); // whoever has it takes no other lock, and gives positions to changes that this removes
    // Before all other locks of src/tables/locks.h, and together: who edits accepted_duplicates may wait for a batch
    // that has not begun to insert yet.
    lock_relations_together({"events", "rejected", "accepted_duplicates"}, ShareRowExclusiveLock);
    Table connections("connections", RowExclusiveLock);
    EnvironmentLocks locks(dev_id);
    locks.lock_environment(true);
    Forgetting forgetting(connections, dev_id, who, tombstone_key_or_new(), *search);
    std::map<std::string, Erased> erased;
    as_owner(connections.owner(), [&] { erased = forgetting.erase(); });
    const Micros now = micros_of(TimestampTzGetDatum(GetCurrentTimestamp()));
    for (const Forgetting::Rest& rest : forgetting.rest())
        insert_end(rest.user_id, note_of_end, dev_id, std::max(now, rest.last_at));
    if (forgetting.needs_rebuild())
        rebuild(dev_id);
    connections.close();
    return erased;
}

Datum rows_of(FunctionCallInfo fcinfo, const Forgotten& who, const std::string& dev_id) {
    ResultRows rows(fcinfo);
    for (const auto& [table, erased] : forget(who, dev_id))
        rows.add({text_of(table), Int64GetDatum(erased.erased), Int64GetDatum(erased.changed)});
    return Datum{0};
}

/// Removes a tombstone. @return whether there was one
bool remember(IdKind kind, const std::string& id, const std::string& dev_id) {
    if (!has_tombstones(dev_id))
        return false;
    bool was_forgotten = false;
    // Refuses, if the key is missing, to say that nobody was forgotten.
    if (is_forgotten(dev_id, kind, id))
        as_owner(owner_of_tables(), [&] { was_forgotten = remove_tombstone(*find_tombstone_key(), dev_id, kind, id); });
    return was_forgotten;
}

} // namespace

PG_FUNCTION(terra_identity_forget) {
    const std::string dev_id = dev_id_argument(argument(fcinfo, 1));
    return rows_of(fcinfo, {.reference_id = id_argument(argument(fcinfo, 0), "reference_id"), .user_id = {}}, dev_id);
}

PG_FUNCTION(terra_identity_forget_user) {
    const std::string dev_id = dev_id_argument(argument(fcinfo, 1));
    return rows_of(fcinfo, {.reference_id = {}, .user_id = id_argument(argument(fcinfo, 0), "user_id")}, dev_id);
}

PG_FUNCTION(terra_identity_remember) {
    const std::string dev_id = dev_id_argument(argument(fcinfo, 1));
    return BoolGetDatum(remember(IdKind::reference, id_argument(argument(fcinfo, 0), "reference_id"), dev_id));
}

PG_FUNCTION(terra_identity_remember_user) {
    const std::string dev_id = dev_id_argument(argument(fcinfo, 1));
    return BoolGetDatum(remember(IdKind::user, id_argument(argument(fcinfo, 0), "user_id"), dev_id));
}

PG_FUNCTION(terra_identity_set_tombstone_key) {
    if (argument(fcinfo, 0).is_null)
        throw Error{"22004", "key is null", "", "Give what terra_identity.tombstone_key() returned."};
    set_tombstone_key(std::string(pg::bytes_of(argument(fcinfo, 0).value)));
    return Datum{0};
}

} // namespace terra_identity
