// Locks of the transaction, in the extension's own space of advisory locks (no lock of a user's can collide), and the
// order in which all locks are taken, so that statements that are a transaction of their own do not deadlock:
//
//   1. settings: who edits rules, and the first delivery of a dev-id header (src/tables/routes.h).
//      What follows is taken after the last row of the statement is in the ledger.
//   2. batches. Shared: statements of several deliveries with trace ids, or over several environments. Exclusive:
//      those that work in parts, and so may come back to what is before them here (`lock_batches`).
//   3. table `connections`, ROW EXCLUSIVE; by an edit of providers SHARE ROW EXCLUSIVE.
//   For each environment, sorted by its name:
//   4. the environment, shared or (bulk) exclusive, by who has news of connections; if shared,
//   5. connections, 6. slots, 7. lineages that the statement relies on (src/core/keys.h), each level sorted by key;
//   8. deliveries: rows of `deliveries`, sorted by their trace ids, then rows of `signatures`, for whose unique
//      indexes others wait (src/tables/deliveries.h).
//
// A single delivery without news, as most are, takes one lock of 8 and waits for nobody who waits.
// A transaction of many statements that would hold too many of 5 to 7 takes its environment exclusive instead.
// What turns out to be missing after reading is added by giving back 5 to 7 and taking the larger set in order.
#pragma once

#include "core/keys.h"

#include <string>
#include <vector>

#include "pg/guard.h"

namespace terra_identity::tables {

using namespace pg;

/// Lets a transaction's end be noticed. Called once, when the module is loaded.
void register_locks();

/// How many keys the transaction holds (more than that after a subtransaction was rolled back).
std::size_t keys_of_transaction();

/// One at a time: who edits rules, and who makes an environment or teaches it its header.
void lock_settings();

/// Shared: goes on beside other batches. Exclusive: keeps them out, and from then on takes whole environments. Who
/// holds what comes later in the order, from an earlier statement of the transaction, does not wait, and goes on
/// without.
void lock_batches(bool exclusive);

/// The transaction holds deliveries, which are no locks of this file.
void note_deliveries();

/// Whether the transaction keeps other batches out.
bool keeps_batches_out();

/// For a function that takes locks from the beginning of the order each time that it is called: if the statement may
/// call it several times, keeps other batches and editors of rules out.
void begin_batch_if_called_again(FunctionCallInfo fcinfo);

/// The same for what does so many times in one call.
void begin_batch();

class EnvironmentLocks {
public:
    explicit EnvironmentLocks(std::string dev_id) : dev_id_(std::move(dev_id)) {}

    /// Whether an earlier statement of the transaction has locked the environment exclusive.
    bool held_exclusive() const;

    /// Lets others write in the environment too, or nobody else.
    void lock_environment(bool exclusive);

    /// Waits for all these keys.
    void lock(const Keys& keys);

    /// Gives back the keys, or everything, that was locked through this object. What earlier statements of the
    /// transaction locked stays locked.
    void release_keys();
    void release();

private:
    struct Tag {
        LOCKTAG tag;
        LOCKMODE mode;
        bool is_key;
        bool is_new; ///< the transaction did not hold it
    };

    static Tag acquire(const LOCKTAG& tag, LOCKMODE mode, bool is_key);
    static void give_back(std::vector<Tag>& tags);
    LOCKTAG environment_tag() const;

    std::string dev_id_;
    std::vector<Tag> environment_;
    std::vector<Tag> keys_;
};

} // namespace terra_identity::tables
