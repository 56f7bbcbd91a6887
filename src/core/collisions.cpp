#include "core/collisions.h"

#include "core/text.h"
#include "core/wording.h"

#include <cstdint>

namespace terra_identity {
namespace {

std::optional<std::string> id_of(const std::optional<std::string>& text) {
    const std::string_view trimmed = text ? trim(*text) : std::string_view();
    return trimmed.empty() ? std::nullopt : std::optional(std::string(trimmed));
}

Register said(const std::optional<std::string>& value) {
    return value ? Register(Written{.value = *value}) : std::nullopt;
}

std::string provider_of(const Connection& connection) {
    return connection.facts.provider ? word(*connection.provider()) : "an unknown provider";
}

std::string end_user_of(const Connection& connection) { return person(connection.reference_id()); }

/// The account as a sentence names it. Only of a connection that has one.
std::string account_of(const Connection& connection) {
    return "the " + account_name(connection.provider(), *connection.provider_user_id);
}

} // namespace

Connection newcomer(const Rules& rules, const std::optional<std::string>& provider,
                    const std::optional<std::string>& provider_user_id,
                    const std::optional<std::string>& reference_id) {
    Connection result;
    if (const auto name = id_of(provider))
        result.facts.provider = said(upper(*name));
    result.facts.reference_id = said(id_of(reference_id));
    result.facts.live = result.facts.confirmed = true;
    result.provider_user_id = id_of(provider_user_id);
    apply_rules(rules, result);
    return result;
}

Disconnects disconnects_after(OnDuplicate on_duplicate, bool is_accepted, const Connection& newcomer,
                              const std::vector<Connection>& present) {
    if (!newcomer.has_account())
        return {};
    std::vector<Connection> active{newcomer};
    active.front().connected_at = INT64_MAX;
    for (const Connection& connection : present)
        if (connection.account() == newcomer.account() && !shared_slot(newcomer, connection))
            active.push_back(connection);
    return disconnects_of(on_duplicate, is_accepted, active);
}

Collision collision(const Connection& newcomer, const Connection& present, bool is_accepted,
                    const Disconnects& disconnects) {
    const std::string it = "Connection " + connection_of_person(present);
    if (const auto slot = shared_slot(newcomer, present)) {
        const std::string ends = it + " would become superseded (" + std::string(rule_of(*slot)) + ")";
        if (has_same_reference(newcomer, present))
            return {"reconnection", ends + ": the same end user connects again, and the lineage goes on."};
        return {"transfer", ends + ": " + account_of(newcomer) + " would move to " + end_user_of(newcomer) + "."};
    }
    const std::string stays = it + " would stay active";
    if (newcomer.has_account() && newcomer.account() == present.account()) {
        const std::string both =
            stays + " beside that of " + end_user_of(newcomer) + ": a duplicate on " + account_of(newcomer);
        if (is_accepted)
            return {"accepted", both + ", which is accepted."};
        if (disconnects.contains(present.user_id))
            return {"duplicate", both + ". Then it would be queued in disconnects, to be deauthenticated at Terra."};
        if (disconnects.contains(newcomer.user_id))
            return {"duplicate",
                    both + ". Then the new connection would be queued in disconnects, to be deauthenticated at Terra."};
        return {"duplicate", both + "."};
    }
    if (newcomer.account_unusable)
        return {"unusable", stays + ", whatever the account is: the account ids of " + provider_of(newcomer) +
                                " are marked unusable, and are not compared."};
    if (newcomer.provider_user_id && present.provider_user_id)
        return {"second_account", stays + ": it has the account " + quote(*present.provider_user_id) +
                                      ", so the same end user would have two accounts at " + provider_of(newcomer) +
                                      "."};
    return {"undecided", it +
                             " has the same provider. If it is the same account, it would become superseded, and the "
                             "lineage would go on; if not, both would stay active. Which account " +
                             std::string(newcomer.provider_user_id ? "it has" : "is connected") + " is not known."};
}

Collision no_collision(const Connection& newcomer) {
    if (!newcomer.facts.provider)
        return {"none", "Nothing is compared, because no provider is given."};
    if (!newcomer.provider_user_id && !newcomer.facts.reference_id)
        return {"none", "Nothing is compared, because neither a provider_user_id nor a reference_id is given."};
    if (newcomer.account_unusable)
        return {"unusable", "Nobody is affected: the account ids of " + provider_of(newcomer) +
                                " are marked unusable, and are not compared."};
    if (!newcomer.provider_user_id)
        return {"none", "No active connection of " + end_user_of(newcomer) + " at " + provider_of(newcomer) +
                            " is known. Whether others have the account is not known before its provider_user_id is."};
    const std::string nobody = "No active connection has " + account_of(newcomer);
    if (!newcomer.facts.reference_id)
        return {"none", nobody + "."};
    return {"none", nobody + ", and " + end_user_of(newcomer) + " has none at this provider."};
}

} // namespace terra_identity
