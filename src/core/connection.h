// A connection with its facts and its derived state, and the slots and groups that it shares with other connections.
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

/// Convert a status to its word in SQL and back. `status_of` returns null for an unknown word.
std::string_view to_string(Status status);
std::optional<Status> status_of(std::string_view word);

/// The place of a connection in the order of newness, oldest first. A connection that is not dated, because only
/// passing events named it, is older than all dated ones.
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

/// A slot: a place that only one connection can hold at a time, within one environment. An account slot has a
/// provider_user_id and a reference_id, where null equals null; under the policy `replace` it has no reference_id
/// unless the provider is an SDK provider. A reference slot has a reference_id only.
struct Slot {
    std::string provider;
    std::optional<std::string> provider_user_id;
    bool per_reference = true;
    std::optional<std::string> reference_id;

    bool is_account() const { return provider_user_id.has_value(); }

    auto operator<=>(const Slot&) const = default;
};

/// One Terra user in one environment.
struct Connection {
    std::int64_t connection_id = 0;
    std::string user_id;

    std::int64_t lineage_id = 0;
    std::optional<std::string> provider_user_id; ///< the effective one
    Status status = Status::active;
    std::optional<std::string> successor_user_id;
    std::optional<Micros> ended_at;
    Micros connected_at = 0;        ///< that of the facts, but before that of every connection that replaced this one
    bool sdk = false;               ///< the provider is an SDK provider
    bool account_exclusive = false; ///< the account slot has no reference_id: policy `replace`, no SDK provider
    bool account_unusable = false;  ///< the provider's `account_ids` are `unusable`: there is no account slot
    bool duplicate = false;         ///< active, and another end user has an active connection to the same account
    bool cyclic = false;            ///< on a cycle of `user_reauth`s
    bool consistent = true;         ///< false: it was read from a row whose columns contradict one another

    Facts facts; ///< everything above except the ids is derived from those of all connections

    Place place() const { return {facts.dated(), connected_at, user_id}; }
    std::optional<std::string> provider() const { return value_of(facts.provider); }
    std::optional<std::string> reference_id() const { return value_of(facts.reference_id); }
    std::optional<std::string> scopes() const { return value_of(facts.scopes); }

    bool has_account() const { return facts.provider && provider_user_id && !account_unusable; }

    /// The provider account; null if the provider or the effective provider_user_id is not known, or if the provider's
    /// account ids are unusable.
    std::optional<Account> account() const;

    /// The slots that the connection holds: none, the account slot, the reference slot, or both in this order.
    std::vector<Slot> slots() const;

    bool operator==(const Connection&) const = default;

private:
    static std::optional<std::string> value_of(const Register& written) {
        return written ? std::optional(written->value) : std::nullopt;
    }
};

/// A slot and a reference_id. The connections that have both in common are of one lineage.
struct Group {
    Slot slot;
    std::optional<std::string> reference_id;

    auto operator<=>(const Group&) const = default;
};

/// A slot that both connections hold, the account slot before the reference slot; null if they share none.
std::optional<Slot> shared_slot(const Connection& a, const Connection& b);

/// What kind of slot it is, in the words of docs/rules.md: whose newer connection supersedes an older one.
std::string_view rule_of(const Slot& slot);

/// The groups that a connection belongs to.
std::vector<Group> groups_of(const Connection& connection);

/// Whether the account of a superseded connection moved to another end user: its successor holds the same account slot
/// and has another reference_id.
bool is_taken_over(const Connection& superseded, const Connection& successor);

/// Whether `a` comes before `b` in the order of newness.
bool is_older(const Connection& a, const Connection& b);

/// Whether both connections have the same reference_id. Null equals null.
bool has_same_reference(const Connection& a, const Connection& b);

/// Whether a correction can say that both connections are of the same person: they have the same reference_id, where
/// null equals null, and their providers do not differ. So no chain of corrections leads from one person to another,
/// whoever turns out to be somebody else.
bool may_be_same_person(const Connection& a, const Connection& b);

/// Sets `status`, `successor_user_id` and `ended_at`: from the facts if they end the connection, else from its
/// successor.
/// @param successor the oldest of the newer live connections that share a slot with `connection`, or null
void derive_status(Connection& connection, const Connection* successor);

} // namespace terra_identity
