// LedgerEdits: what passes between forget() and the triggers that keep the ledger append-only.
#pragma once

namespace terra_identity::tables {

/// Allows UPDATE and DELETE of the ledger as long as an object of this class exists.
class LedgerEdits {
public:
    LedgerEdits() { ++count; }
    ~LedgerEdits() { --count; }
    LedgerEdits(const LedgerEdits&) = delete;
    LedgerEdits& operator=(const LedgerEdits&) = delete;

    static bool are_allowed() { return count > 0; }

private:
    static inline int count = 0;
};

} // namespace terra_identity::tables
