// Plays events against a derivation as the server does, batch by batch, and says where the state
// that came of it differs from what the whole set of events asks for.
#pragma once

#include "brute_force.h"
#include "deliveries.h"
#include "memory_store.h"

#include "core/changes.h"
#include "core/derivation.h"
#include "core/everything.h"

#include <set>
#include <string>
#include <vector>

namespace terra_identity::test {

/// With the SDK providers APPLE, SAMSUNG and HEALTH_CONNECT; the account ids of DASH are unusable.
Rules rules_under(AccountPolicy policy);

/// What one statement does between reading and writing: a derivation from the events of one batch.
Derived derive(Store& store, const Rules& rules, const std::vector<Event>& batch, std::int64_t first_event_id = 1);

Fold fold_of(const std::vector<Event>& events);

/// What these events say together, one reauth for each pair of connections.
std::set<Reauth> reauths_of(const std::vector<Event>& events);

/// What follows from these events.
Truths brute_force(const std::vector<Event>& events, const Rules& rules);

/// The state by the words of brute_force.h; `lineage` stands for the lineage_id.
Truths truths_of(const std::map<std::string, Connection>& stored);

/// What the two say differently, one line each; empty if nothing.
std::string difference(const Truths& expected, const Truths& actual);

/// One environment.
class World {
public:
    explicit World(const Rules& rules, std::uint64_t seed = 1) : rules_(rules), store_(seed) {}

    /// Inserts a batch: one statement. @return the rows that the feed gets
    std::vector<Change> insert(const std::vector<Event>& batch);

    /// Like `insert`, but leaves out events that the stored facts absorb, as the server does.
    std::vector<Change> insert_what_is_new(const std::vector<Event>& batch);

    /// Derives everything again from the ledger, possibly under other rules.
    void rebuild(const Rules& rules);
    void rebuild() { rebuild(rules_); }

    /// Spoils all that is derived, as a bug or an older version might have left it.
    void spoil();

    /// Where the stored state differs from `derive_everything` and from the brute force; empty if
    /// nowhere.
    std::string faults();

    Truths truths() const { return truths_of(store_.stored()); }
    Truths expected() const;

    MemoryStore& store() { return store_; }
    std::vector<Event>& ledger() { return ledger_; }
    const Rules& rules() const { return rules_; }

private:
    bool is_known(const Event& event) const;
    Derived derive_from_ledger(Store& ids) const;
    std::string faults_against_everything();
    std::string faults_of_reauths() const;
    std::string faults_of_lineage_ids() const;

    Rules rules_;
    MemoryStore store_;
    std::vector<Event> ledger_;
    std::int64_t next_event_id_ = 1;
};

} // namespace terra_identity::test
