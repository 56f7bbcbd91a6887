#include "harness.h"

#include "core/reference_history.h"

#include <sstream>

namespace terra_identity::test {
namespace {

std::string text(const std::optional<std::string>& value) { return value ? "'" + *value + "'" : "null"; }
std::string text(const std::optional<Micros>& time) { return time ? format_iso8601(*time) : "null"; }

std::string describe(const Truth& truth) {
    return truth.status + ", successor " + text(truth.successor_user_id) + ", ended " + text(truth.ended_at) +
           ", connected " + text(std::optional(truth.connected_at)) + ", account " + text(truth.provider_user_id) +
           ", lineage of '" + truth.lineage + "', resolves to " + text(truth.resolved) +
           (truth.duplicate ? ", duplicate" : "") + (truth.cyclic ? ", cyclic" : "");
}

std::string describe(const Connection& connection) {
    std::ostringstream out;
    out << "connection_id " << connection.connection_id << ", lineage_id " << connection.lineage_id << ", "
        << to_string(connection.status) << ", successor " << text(connection.successor_user_id) << ", ended "
        << text(connection.ended_at) << ", account " << text(connection.provider_user_id) << ", provider "
        << text(connection.provider()) << ", reference " << text(connection.reference_id()) << ", connected "
        << text(std::optional(connection.connected_at)) << (connection.facts.dated() ? ", dated" : "")
        << (connection.facts.live ? ", live" : "") << (connection.sdk ? ", sdk" : "")
        << (connection.account_exclusive ? ", exclusive" : "") << (connection.account_unusable ? ", unusable" : "")
        << (connection.duplicate ? ", duplicate" : "") << (connection.cyclic ? ", cyclic" : "");
    return out.str();
}

} // namespace

Rules rules_under(AccountPolicy policy) {
    Rules rules;
    rules.account_policy = policy;
    rules.sdk_providers = {"APPLE", "SAMSUNG", "HEALTH_CONNECT"};
    rules.unusable_providers = {"DASH"};
    return rules;
}

Derived derive(Store& store, const Rules& rules, const std::vector<Event>& batch, std::int64_t first_event_id) {
    Derivation derivation(store, rules);
    std::vector<std::string> user_ids;
    for (const Event& event : batch)
        for (const Contribution& contribution : contributions_of(event))
            user_ids.push_back(contribution.user_id);
    derivation.require(user_ids);
    std::int64_t event_id = first_event_id;
    for (const Event& event : batch) {
        for (const Contribution& contribution : contributions_of(event))
            derivation.tell(contribution, event_id);
        if (const auto reauth = reauth_of(event))
            derivation.link(*reauth);
        ++event_id;
    }
    return derivation.derive();
}

Truths truths_of(const std::map<std::string, Connection>& stored) {
    std::map<std::int64_t, std::string> first_of_lineage;
    std::map<std::int64_t, const Connection*> current;
    for (const auto& [user_id, connection] : stored) {
        first_of_lineage.try_emplace(connection.lineage_id, user_id);
        const Connection*& newest = current[connection.lineage_id];
        if (connection.status == Status::active && (newest == nullptr || newest->place() < connection.place()))
            newest = &connection;
    }
    Truths truths;
    for (const auto& [user_id, connection] : stored) {
        const Connection* const resolved =
            connection.status == Status::active ? &connection : current.at(connection.lineage_id);
        truths[user_id] = {std::string(to_string(connection.status)),
                           connection.successor_user_id,
                           connection.ended_at,
                           connection.connected_at,
                           connection.provider_user_id,
                           connection.duplicate,
                           connection.cyclic,
                           first_of_lineage.at(connection.lineage_id),
                           resolved != nullptr ? std::optional(resolved->user_id) : std::nullopt};
    }
    return truths;
}

std::string difference(const Truths& expected, const Truths& actual) {
    std::string result;
    for (const auto& [user_id, truth] : expected) {
        const auto found = actual.find(user_id);
        if (found == actual.end())
            result += user_id + " is missing\n";
        else if (found->second != truth)
            result += user_id + " should be " + describe(truth) + "\n" + std::string(user_id.size(), ' ') +
                      "        is " + describe(found->second) + "\n";
    }
    for (const auto& [user_id, truth] : actual)
        if (!expected.count(user_id))
            result += user_id + " should not be\n";
    return result;
}

Fold fold_of(const std::vector<Event>& events) {
    Fold fold;
    fold.add(events);
    return fold;
}

std::set<Reauth> reauths_of(const std::vector<Event>& events) {
    std::map<std::pair<std::string, std::string>, bool> transfers;
    for (const Event& event : events)
        if (const auto reauth = reauth_of(event)) {
            bool& transfer = transfers.try_emplace({reauth->old_user_id, reauth->new_user_id}, true).first->second;
            transfer = transfer && reauth->transfer;
        }
    std::set<Reauth> reauths;
    for (const auto& [ends, transfer] : transfers)
        reauths.insert({ends.first, ends.second, transfer});
    return reauths;
}

Truths brute_force(const std::vector<Event>& events, const Rules& rules) {
    std::map<std::string, Facts> facts;
    for (const Event& event : events)
        for (const Contribution& contribution : contributions_of(event))
            facts[contribution.user_id].merge(contribution.facts);
    return brute_force(facts, reauths_of(events), rules);
}

std::vector<Change> World::insert(const std::vector<Event>& batch) {
    const Derived derived = derive(store_, rules_, batch, next_event_id_);
    std::vector<Change> changes = changes_of(derived);
    store_.write(derived);
    next_event_id_ += static_cast<std::int64_t>(batch.size());
    ledger_.insert(ledger_.end(), batch.begin(), batch.end());
    return changes;
}

std::vector<Change> World::insert_what_is_new(const std::vector<Event>& batch) {
    std::vector<Event> unknown;
    for (const Event& event : batch)
        if (!is_known(event))
            unknown.push_back(event);
    return insert(unknown);
}

bool World::is_known(const Event& event) const {
    if (const auto reauth = reauth_of(event);
        reauth && !store_.stored_reauths().count(*reauth) &&
        !store_.stored_reauths().count({reauth->old_user_id, reauth->new_user_id, false}))
        return false;
    for (const Contribution& contribution : contributions_of(event)) {
        const auto found = store_.stored().find(contribution.user_id);
        if (found == store_.stored().end() || !found->second.facts.absorbs(contribution.facts))
            return false;
    }
    return true;
}

void World::rebuild(const Rules& rules) {
    rules_ = rules;
    store_.write(derive_from_ledger(store_));
}

void World::change_rules(const Rules& rules) {
    rules_ = rules;
    const std::set<Reauth>& reauths = store_.stored_reauths();
    store_.write(derive_everything(rules_, store_.all(), {reauths.begin(), reauths.end()}));
}

Derived World::derive_from_ledger(Store& ids) const {
    const std::set<Reauth>& reauths = store_.stored_reauths();
    return derive_everything(rules_, fold_of(ledger_), store_.all(), {reauths.begin(), reauths.end()},
                             [&ids] { return ids.new_connection_id(); });
}

void World::spoil() { store_.spoil(); }

std::string World::faults() {
    return difference(expected(), truths()) + faults_against_everything() + faults_of_reauths() +
           faults_of_lineage_ids() + faults_of_histories();
}

Truths World::expected() const { return brute_force(ledger_, rules_); }

std::string World::faults_against_everything() {
    std::string result;
    MemoryStore ids;
    const Derived oracle = derive_from_ledger(ids);
    for (const Node& node : oracle.nodes)
        if (node.changed())
            result += node.now.user_id + " by derive_everything: " + describe(node.now) + "\n" +
                      std::string(node.now.user_id.size(), ' ') +
                      "         is stored: " + (node.stored ? describe(*node.stored) : "not at all") +
                      (node.stored && node.stored->facts != node.now.facts ? " with other facts" : "") + "\n";
    for (const Connection& vanished : oracle.vanished)
        result += vanished.user_id + " is stored, but in no event\n";
    if (!oracle.new_reauths.empty() || !oracle.vanished_reauths.empty())
        result += "the stored reauths are not those of the events by derive_everything\n";
    return result;
}

std::string World::faults_of_reauths() const {
    std::string result;
    const std::set<Reauth> wanted = reauths_of(ledger_);
    const auto add_all_but = [&result](const char* what, const std::set<Reauth>& all, const std::set<Reauth>& others) {
        for (const Reauth& reauth : all)
            if (!others.count(reauth))
                result += what + reauth.old_user_id + " to " + reauth.new_user_id +
                          (reauth.transfer ? ", a transfer\n" : "\n");
    };
    add_all_but("not stored: the reauth from ", wanted, store_.stored_reauths());
    add_all_but("wrongly stored: the reauth from ", store_.stored_reauths(), wanted);
    return result;
}

std::string World::faults_of_lineage_ids() const {
    std::map<std::int64_t, std::int64_t> least;
    for (const auto& [user_id, connection] : store_.stored()) {
        const auto [found, added] = least.try_emplace(connection.lineage_id, connection.connection_id);
        found->second = std::min(found->second, connection.connection_id);
    }
    std::string result;
    for (const auto& [lineage_id, connection_id] : least)
        if (lineage_id != connection_id)
            result += "lineage " + std::to_string(lineage_id) + " has the least connection_id " +
                      std::to_string(connection_id) + "\n";
    return result;
}

std::string World::faults_of_histories() const {
    std::map<std::string, ReferenceHistory> histories;
    for (const Event& event : ledger_)
        for (const Contribution& contribution : contributions_of(event))
            histories.try_emplace(contribution.user_id, contribution.user_id).first->second.add(event);
    std::string result;
    for (const auto& [user_id, history] : histories) {
        const auto stored = store_.stored().find(user_id);
        if (stored == store_.stored().end())
            continue; // which other faults tell
        const std::optional<std::string> now = stored->second.reference_id();
        const std::vector<ReferencePeriod> periods = history.periods(stored->second.facts.reference_id);
        const auto last = periods.empty() ? std::nullopt : std::optional(periods.back().reference_id);
        if (last != now)
            result += user_id + " is of " + text(now) + ", but its history ends with " + text(last) + "\n";
    }
    return result;
}

} // namespace terra_identity::test
