// Locks of the transaction, in the extension's own space of advisory locks (no lock of a user's can collide).
//
// The order in which they are taken, so that single-statement transactions do not deadlock (README.md, "What it does
// not", lists the kinds of statements that still can):
//   0. table `environments`, SHARE ROW EXCLUSIVE, by the first delivery of a dev-id header alone
//   (src/pg/environment.h),
//   1. table `connections`, ROW EXCLUSIVE (an edit of `providers` takes it SHARE ROW EXCLUSIVE),
//   2. for each environment, sorted by its name: the environment, shared or (bulk) exclusive; then, if shared,
//   3. the connections, 4. the slots, 5. the lineages that the statement relies on, each level sorted by key.
// A transaction of many statements that would hold too many of 3 to 5 takes its environment exclusive instead.
// What turns out to be missing after reading is added by giving back 3 to 5 and taking the larger set in order.
#pragma once

#include "core/derivation.h"

#include <string>
#include <vector>

#include "pg/guard.h"

namespace terra_identity::pg {

/// Lets a transaction's end be noticed. Called once, when the module is loaded.
void register_locks();

/// How many keys the transaction holds (more than that after a subtransaction was rolled back).
std::size_t keys_of_transaction();

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

} // namespace terra_identity::pg
