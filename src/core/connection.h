// A connection: its facts, and what follows from them and from its neighbours.
#pragma once

#include "core/facts.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace terra_identity {

enum class Status { active, superseded, replaced, deauthenticated, revoked, failed };

/// The word for a status in SQL, and back. `status_of` of an unknown word is null.
std::string_view to_string(Status status);
std::optional<Status> status_of(std::string_view word);

/// A place in the order of newness. One that was only seen in passing, nobody knows since when, is older than all that
/// are dated.
struct Place {
    bool dated = false;
    Micros connected_at = 0;
    std::string user_id;

    auto operator<=>(const Place&) const = default;
};

/// A provider account, within one environment.
struct Account {
    std::string provider;
    std::string provider_user_id;

    auto operator<=>(const Account&) const = default;
};

/// A place that only one connection can hold at a time, within one environment: an account slot has a
/// provider_user_id, and a reference_id (null being one of its own) but for `replace` without an SDK; a reference slot
/// has a reference_id only.
struct Slot {
    std::string provider;
    std::optional<std::string> provider_user_id;
    bool per_reference = true;
    std::optional<std::string> reference_id;

    bool is_account() const { return provider_user_id.has_value(); }

    auto operator<=>(const Slot&) const = default;
};

struct Connection {
    std::int64_t connection_id = 0;
    std::string user_id;

    std::int64_t lineage_id = 0;
    std::optional<std::string> provider_user_id; ///< effective
    Status status = Status::active;
    std::optional<std::string> successor_user_id;
    std::optional<Micros> ended_at;
    Micros connected_at = 0;        ///< that of its facts, but before that of every connection that replaced it
    bool sdk = false;               ///< its provider is an SDK provider
    bool account_exclusive = false; ///< its account slot is for one end user alone: policy `replace`, no SDK provider
    bool account_unusable = false;  ///< its provider's account ids tell nothing: it has no account slot
    bool duplicate = false;         ///< active, on an account where another end user has an active one
    bool cyclic = false;            ///< on a cycle of `user_reauth`s
    bool consistent = true;         ///< false: it was read from a row that no facts lead to

    Facts facts; ///< all of the above but the ids follows from those of all connections

    Place place() const { return {facts.dated(), connected_at, user_id}; }
    std::optional<std::string> provider() const { return value_of(facts.provider); }
    std::optional<std::string> reference_id() const { return value_of(facts.reference_id); }
    std::optional<std::string> scopes() const { return value_of(facts.scopes); }

    bool has_account() const { return facts.provider && provider_user_id && !account_unusable; }

    /// Its provider account, if provider and effective provider_user_id are known and tell accounts apart.
    std::optional<Account> account() const;

    /// The slots that it holds: none, the account slot, the reference slot, or both in this order.
    std::vector<Slot> slots() const;

    bool operator==(const Connection&) const = default;

private:
    static std::optional<std::string> value_of(const Register& written) {
        return written ? std::optional(written->value) : std::nullopt;
    }
};

/// The connections of a slot that have the same reference_id are of one lineage.
struct Group {
    Slot slot;
    std::optional<std::string> reference_id;

    auto operator<=>(const Group&) const = default;
};

/// The groups that a connection belongs to.
std::vector<Group> groups_of(const Connection& connection);

/// Whether the place of `a` comes before that of `b`.
bool is_older(const Connection& a, const Connection& b);

/// Whether both belong to one end user; the unknown counts as one of its own.
bool has_same_reference(const Connection& a, const Connection& b);

/// The status that follows from the facts, and, for one that is not ended, from its successor.
/// @param successor the oldest of the newer live connections that share a slot with it, or null
void derive_status(Connection& connection, const Connection* successor);

} // namespace terra_identity
