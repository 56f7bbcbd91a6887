// Applies events by derivations, batch by batch, as the server does. Reports where the resulting state differs from the
// one that the whole set of events leads to.
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

/// Rules with the SDK providers APPLE, SAMSUNG and HEALTH_CONNECT; the account ids of DASH are unusable.
Rules rules_under(AccountPolicy policy);

/// The derivation of one statement, from the events of one batch.
Derived derive(Store& store, const Rules& rules, const std::vector<Event>& batch, std::int64_t first_event_id = 1);

Fold fold_of(const std::vector<Event>& events);

/// The reauths of these events together, one for each pair of connections.
std::set<Reauth> reauths_of(const std::vector<Event>& events);

/// The state that follows from these events, by brute force.
Truths brute_force(const std::vector<Event>& events, const Rules& rules);

/// The stored state in the terms of brute_force.h; `lineage` stands for the lineage_id.
Truths truths_of(const std::map<std::string, Connection>& stored);

/// The differences between two states, one line each; empty if there are none.
std::string difference(const Truths& expected, const Truths& actual);

/// One environment: its ledger, its stored state and its rules.
class World {
public:
    explicit World(const Rules& rules, std::uint64_t seed = 1) : rules_(rules), store_(seed) {}

    /// Inserts a batch, as one statement. @return the rows of the feed `changes`
    std::vector<Change> insert(const std::vector<Event>& batch);

    /// Like `insert`, but skips events whose facts the stored facts absorb, as the server does.
    std::vector<Change> insert_what_is_new(const std::vector<Event>& batch);

    /// Derives everything again from the ledger, possibly under other rules.
    void rebuild(const Rules& rules);
    void rebuild() { rebuild(rules_); }

    /// Derives everything again from the stored facts, under other rules, as an edit of the rules does.
    void change_rules(const Rules& rules);

    /// Spoils everything that is derived, as a bug or an older version might have left it.
    void spoil();

    /// Where the stored state differs from `derive_everything` and from the brute force, or is not where the histories
    /// of the end users end; empty if nowhere.
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
    std::string faults_of_histories() const;

    Rules rules_;
    MemoryStore store_;
    std::vector<Event> ledger_;
    std::int64_t next_event_id_ = 1;
};

} // namespace terra_identity::test
