#include "tables/locks.h"

#include <algorithm>
#include <cstdint>

#include "pg/calls.h"
#include "pg/relations.h"
#include "pg/versions.h"

namespace terra_identity::tables {

using namespace pg;

namespace {

/// The fourth field of the extension's lock tags. PostgreSQL's own advisory locks have 1 or 2 there; "TI" in ASCII
/// avoids these and other extensions.
constexpr std::uint16_t lock_space = 0x5449;

enum class Level : std::uint16_t { environment, connection, slot, lineage, batches, settings, feed, pruning };

struct Numbered {
    Level level;
    std::uint64_t number;

    auto operator<=>(const Numbered&) const = default;
};

/// Appends a part of a key with its length, so that no two keys become the same text.
void append(std::string& text, std::string_view part) {
    text += std::to_string(part.size());
    text += ':';
    text += part;
}

void append(std::string& text, const std::optional<std::string>& part) {
    part ? append(text, std::string_view(*part)) : text.push_back('-');
}

std::uint64_t hash(const std::string& text) {
    return hash_bytes_extended(reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()), 0);
}

LOCKTAG tag_of(const Numbered& key) {
    LOCKTAG tag;
    SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, static_cast<std::uint32_t>(key.number >> 32),
                         static_cast<std::uint32_t>(key.number),
                         static_cast<std::uint16_t>(lock_space + static_cast<std::uint16_t>(key.level)));
    return tag;
}

Numbered number(const std::string& dev_id, const Key& key) {
    std::string text;
    append(text, std::string_view(dev_id));
    if (const auto* const connection = std::get_if<ConnectionKey>(&key)) {
        append(text, std::string_view(connection->user_id));
        return {Level::connection, hash(text)};
    }
    if (const auto* const slot = std::get_if<SlotKey>(&key)) {
        append(text, std::string_view(slot->provider));
        append(text, slot->provider_user_id);
        append(text, slot->reference_id);
        return {Level::slot, hash(text)};
    }
    return {Level::lineage, static_cast<std::uint64_t>(std::get<LineageKey>(key).lineage_id)};
}

bool holds_exclusive(const LOCKTAG& tag) {
    return call([&tag] { return holds_lock(tag, ExclusiveLock); });
}

std::size_t held_keys = 0;

/// Whether the transaction has taken any lock of a level after the batches.
bool holds_later = false;

void end_transaction(XactEvent event, void*) {
    if (event == XACT_EVENT_ABORT || event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE) {
        held_keys = 0;
        holds_later = false;
    }
}

} // namespace

void register_locks() { RegisterXactCallback(end_transaction, nullptr); }

std::size_t keys_of_transaction() { return held_keys; }

void lock_batches(bool exclusive) {
    const LOCKTAG tag = tag_of({Level::batches, 0});
    call([&] { LockAcquire(&tag, exclusive ? ExclusiveLock : ShareLock, false, holds_later); });
}

bool lock_feed(const std::string& dev_id, bool wait) {
    std::string text;
    append(text, std::string_view(dev_id));
    const LOCKTAG tag = tag_of({Level::feed, hash(text)});
    return call([&] { return LockAcquire(&tag, ExclusiveLock, false, !wait) != LOCKACQUIRE_NOT_AVAIL; });
}

void lock_pruning(const std::string& dev_id) {
    std::string text;
    append(text, std::string_view(dev_id));
    const LOCKTAG tag = tag_of({Level::pruning, hash(text)});
    call([&] { LockAcquire(&tag, ExclusiveLock, false, false); });
}

void note_deliveries() { holds_later = true; }

bool keeps_batches_out() { return holds_exclusive(tag_of({Level::batches, 0})); }

void lock_settings() {
    const LOCKTAG tag = tag_of({Level::settings, 0});
    call([&] { LockAcquire(&tag, ExclusiveLock, false, false); });
}

void begin_batch() {
    if (!holds_later)
        lock_settings();
    lock_batches(true);
}

void begin_batch_if_called_again(FunctionCallInfo fcinfo) {
    if (may_be_called_again(fcinfo->flinfo->fn_oid))
        begin_batch();
}

void lock_whole_in_batch(const std::string& dev_id) {
    if (!keeps_batches_out())
        return;
    lock_relation("events", RowExclusiveLock);
    EnvironmentLocks(dev_id).lock_environment(true);
}

bool EnvironmentLocks::held_exclusive() const { return holds_exclusive(environment_tag()); }

void EnvironmentLocks::lock_environment(bool exclusive) {
    environment_.push_back(acquire(environment_tag(), exclusive ? ExclusiveLock : ShareLock, false));
}

void EnvironmentLocks::lock(const Keys& keys) {
    std::vector<Numbered> numbers;
    for (const Key& key : keys)
        numbers.push_back(number(dev_id_, key));
    std::sort(numbers.begin(), numbers.end());
    numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
    for (const Numbered& key : numbers)
        keys_.push_back(acquire(tag_of(key), ExclusiveLock, true));
}

void EnvironmentLocks::release_keys() { give_back(keys_); }

void EnvironmentLocks::release() {
    give_back(keys_);
    give_back(environment_);
}

EnvironmentLocks::Tag EnvironmentLocks::acquire(const LOCKTAG& tag, LOCKMODE mode, bool is_key) {
    const bool is_new = call([&] { return LockAcquire(&tag, mode, false, false) == LOCKACQUIRE_OK; });
    held_keys += is_key && is_new;
    holds_later = true;
    return {tag, mode, is_key, is_new};
}

void EnvironmentLocks::give_back(std::vector<Tag>& tags) {
    for (const Tag& lock : tags) {
        call([&] { LockRelease(&lock.tag, lock.mode, false); });
        held_keys -= lock.is_key && lock.is_new;
    }
    tags.clear();
}

LOCKTAG EnvironmentLocks::environment_tag() const {
    std::string text;
    append(text, std::string_view(dev_id_));
    return tag_of({Level::environment, hash(text)});
}

} // namespace terra_identity::tables
