// Locks of the transaction. They are advisory locks in a space of the extension's own, which no advisory lock of a user
// can collide with. All locks are taken in this order, so that transactions of a single statement do not deadlock:
//
//   1. settings: by edits of rules, and by the first delivery of a dev-id header (src/tables/routes.h).
//      All other locks are taken after the last row of the statement is in the ledger.
//   2. batches. Shared: statements with several deliveries that have trace ids, or with several environments.
//      Exclusive: statements that work in parts, and so may take earlier locks of this order again (`lock_batches`).
//   3. the table `connections`, ROW EXCLUSIVE; by an edit of providers SHARE ROW EXCLUSIVE.
//   For each environment, sorted by its name:
//   4. the environment, shared or (bulk) exclusive, by statements with news of connections; if shared,
//   5. connections, 6. slots, 7. lineages that the statement relies on (src/core/keys.h), each level sorted by key;
//   8. deliveries: rows of `deliveries`, sorted by their trace ids, then rows of `signatures`. These are no advisory
//      locks: other transactions wait for them in the unique indexes (src/tables/deliveries.h);
//   9. rows of `disconnects`. Whoever takes them, to work on them, skips those that are locked (src/disconnecting.cpp).
//
// Beside this order: the feed of an environment, by which one transaction at a time gives positions to changes
// (src/feed.cpp). Whoever writes never takes it, and whoever has it takes no other of these locks, except forget(),
// which takes it first. And the pruning of an environment, which is taken before all others, by whoever deletes events
// that say nothing (src/pruning.cpp).
//
// A single delivery without news, as most are, takes one lock of level 8, and never waits for a transaction that itself
// waits. A transaction of many statements that would hold too many locks of levels 5 to 7 locks its environment
// exclusively instead. If a statement finds after reading that it needs more locks, it releases those of levels 5 to 7
// and takes the larger set in order.
#pragma once

#include "core/keys.h"

#include <string>
#include <vector>

#include "pg/guard.h"

namespace terra_identity::tables {

using namespace pg;

/// Registers a callback for the end of transactions. Called once, when the module is loaded.
void register_locks();

/// How many keys the transaction holds. The number is too high after a subtransaction was rolled back.
std::size_t keys_of_transaction();

/// Locks the settings: one transaction at a time edits rules, makes an environment, or sets its `terra_dev_id` from a
/// header.
void lock_settings();

/// Locks the batches. Shared: other batches may hold it too. Exclusive: locks out other batches, and from then on the
/// transaction locks whole environments. If an earlier statement of the transaction has taken locks of later levels,
/// this does not wait, and continues without the lock if others hold it.
void lock_batches(bool exclusive);

/// Locks the feed of an environment: one transaction at a time gives positions to its changes. If `wait` is false and
/// another one has it, returns false at once.
bool lock_feed(const std::string& dev_id, bool wait);

/// Locks the pruning of an environment: one transaction at a time makes its events less, or deletes them.
void lock_pruning(const std::string& dev_id);

/// Notes that the transaction holds deliveries, whose locks are not taken in this file.
void note_deliveries();

/// Whether the transaction holds the batches exclusively.
bool keeps_batches_out();

/// Begins a batch if the statement may call the function several times. For a function that takes locks from the
/// beginning of the order in each call.
void begin_batch_if_called_again(FunctionCallInfo fcinfo);

/// Begins a batch: locks out other batches and edits of rules. For a function that takes locks from the beginning of
/// the order several times in one call.
void begin_batch();

/// In a batch, locks the ledger for writing, and then a whole environment. For a function that may take something of a
/// later level before it writes to the ledger: the next call of the statement would lock the environment after it.
void lock_whole_in_batch(const std::string& dev_id);

/// The locks of one environment that a statement takes: levels 4 to 7.
class EnvironmentLocks {
public:
    explicit EnvironmentLocks(std::string dev_id) : dev_id_(std::move(dev_id)) {}

    /// Whether the transaction already holds the environment exclusively.
    bool held_exclusive() const;

    /// Locks the environment: exclusively, or shared with other writers.
    void lock_environment(bool exclusive);

    /// Locks all these keys, and waits for them.
    void lock(const Keys& keys);

    /// Release the keys, or all locks, that were taken through this object. Locks that an earlier statement of the
    /// transaction took are kept.
    void release_keys();
    void release();

private:
    struct Tag {
        LOCKTAG tag;
        LOCKMODE mode;
        bool is_key;
        bool is_new; ///< the transaction did not hold it before
    };

    static Tag acquire(const LOCKTAG& tag, LOCKMODE mode, bool is_key);
    static void give_back(std::vector<Tag>& tags);
    LOCKTAG environment_tag() const;

    std::string dev_id_;
    std::vector<Tag> environment_;
    std::vector<Tag> keys_;
};

} // namespace terra_identity::tables
