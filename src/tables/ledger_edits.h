// LedgerEdits: what passes between forget() or prune() and the triggers that keep the ledger append-only.
#pragma once

namespace terra_identity::tables {

/// Allows the UPDATE and DELETE statements of the code that makes an object of this class, as long as it exists. What
/// triggers of the application run meanwhile is refused as ever.
class LedgerEdits {
public:
    LedgerEdits();
    ~LedgerEdits();
    LedgerEdits(const LedgerEdits&) = delete;
    LedgerEdits& operator=(const LedgerEdits&) = delete;

    /// For the triggers: whether the statement that fired them is an allowed one.
    static bool allow_this();

private:
    int depth_; ///< how many triggers are running when the object is made
    LedgerEdits* outer_;
};

} // namespace terra_identity::tables
