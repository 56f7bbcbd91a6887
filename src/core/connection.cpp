#include "core/connection.h"

#include <algorithm>
#include <array>
#include <utility>

namespace terra_identity {
namespace {

constexpr std::array<std::pair<Status, std::string_view>, 6> status_words{{
    {Status::active, "active"},
    {Status::superseded, "superseded"},
    {Status::replaced, "replaced"},
    {Status::deauthenticated, "deauthenticated"},
    {Status::revoked, "revoked"},
    {Status::failed, "failed"},
}};

} // namespace

std::string_view to_string(Status status) { return status_words[static_cast<std::size_t>(status)].second; }

std::optional<Status> status_of(std::string_view word) {
    for (const auto& [status, name] : status_words)
        if (name == word)
            return status;
    return std::nullopt;
}

std::optional<Account> Connection::account() const {
    if (!has_account())
        return std::nullopt;
    return Account{facts.provider->value, *provider_user_id};
}

std::vector<Slot> Connection::slots() const {
    std::vector<Slot> result;
    if (const auto key = account()) {
        const bool per_reference = !account_exclusive;
        result.push_back(
            {key->provider, key->provider_user_id, per_reference, per_reference ? reference_id() : std::nullopt});
    }
    if (sdk && facts.reference_id)
        result.push_back({facts.provider->value, std::nullopt, true, reference_id()});
    return result;
}

std::optional<Slot> shared_slot(const Connection& a, const Connection& b) {
    const std::vector<Slot> others = b.slots();
    for (Slot& slot : a.slots())
        if (std::find(others.begin(), others.end(), slot) != others.end())
            return std::move(slot);
    return std::nullopt;
}

std::string_view rule_of(const Slot& slot) {
    if (!slot.is_account())
        return "reference slot";
    return slot.per_reference ? "account slot of one end user" : "account slot under replace";
}

std::vector<Group> groups_of(const Connection& connection) {
    std::vector<Group> result;
    for (Slot& slot : connection.slots())
        result.push_back({std::move(slot), connection.reference_id()});
    return result;
}

bool is_taken_over(const Connection& superseded, const Connection& successor) {
    return superseded.account_exclusive && superseded.has_account() && superseded.account() == successor.account() &&
           !has_same_reference(superseded, successor);
}

bool is_older(const Connection& a, const Connection& b) {
    if (a.facts.dated() != b.facts.dated())
        return b.facts.dated();
    return a.connected_at != b.connected_at ? a.connected_at < b.connected_at : a.user_id < b.user_id;
}

bool has_same_reference(const Connection& a, const Connection& b) {
    const Register& a_reference = a.facts.reference_id;
    const Register& b_reference = b.facts.reference_id;
    return a_reference && b_reference ? a_reference->value == b_reference->value : !a_reference && !b_reference;
}

bool may_be_same_person(const Connection& a, const Connection& b) {
    const Register &a_provider = a.facts.provider, &b_provider = b.facts.provider;
    return has_same_reference(a, b) && (!a_provider || !b_provider || a_provider->value == b_provider->value);
}

void derive_status(Connection& connection, const Connection* successor) {
    const Facts& facts = connection.facts;
    connection.successor_user_id.reset();
    if (facts.ended()) {
        if (facts.replaced) {
            connection.status = Status::replaced;
            connection.successor_user_id = facts.replaced->value;
            connection.ended_at = facts.replaced->at;
        } else if (facts.deauthenticated_at) {
            connection.status = Status::deauthenticated;
            connection.ended_at = facts.deauthenticated_at;
        } else if (facts.revoked_at) {
            connection.status = Status::revoked;
            connection.ended_at = facts.revoked_at;
        } else {
            connection.status = Status::failed;
            connection.ended_at = facts.failed_at;
        }
    } else if (successor != nullptr) {
        connection.status = Status::superseded;
        connection.successor_user_id = successor->user_id;
        connection.ended_at = successor->connected_at;
    } else {
        connection.status = Status::active;
        connection.ended_at.reset();
    }
}

} // namespace terra_identity
