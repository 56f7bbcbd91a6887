#include "pg/locks.h"

#include <algorithm>
#include <cstdint>
#include <tuple>

namespace terra_identity::pg {
namespace {

/// PostgreSQL's own advisory locks have 1 and 2 here; "TI" in ASCII keeps clear of them and of other extensions.
constexpr std::uint16_t lock_space = 0x5449;

enum class Level : std::uint16_t { environment, connection, slot, lineage };

struct Numbered {
    Level level;
    std::uint64_t number;

    auto operator<=>(const Numbered&) const = default;
};

/// The parts of a key with their lengths, so that no two keys look alike.
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

void acquire(const LOCKTAG& tag, LOCKMODE mode) {
    call([&] { LockAcquire(&tag, mode, false, false); });
}

} // namespace

void EnvironmentLocks::lock_environment(bool exclusive) {
    std::string text;
    append(text, std::string_view(dev_id_));
    environment_.push_back({tag_of({Level::environment, hash(text)}), exclusive ? ExclusiveLock : ShareLock});
    acquire(environment_.back().tag, environment_.back().mode);
}

void EnvironmentLocks::lock(const Keys& keys) {
    std::vector<Numbered> numbers;
    for (const Key& key : keys)
        numbers.push_back(number(dev_id_, key));
    std::sort(numbers.begin(), numbers.end());
    numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
    for (const Numbered& key : numbers) {
        keys_.push_back({tag_of(key), ExclusiveLock});
        acquire(keys_.back().tag, ExclusiveLock);
    }
}

void EnvironmentLocks::release_keys() { give_back(keys_); }

void EnvironmentLocks::release() {
    give_back(keys_);
    give_back(environment_);
}

void EnvironmentLocks::give_back(std::vector<Tag>& tags) {
    for (const Tag& lock : tags)
        call([&] { LockRelease(&lock.tag, lock.mode, false); });
    tags.clear();
}

} // namespace terra_identity::pg
