// Look-ups through an index that is named, not planned: a plan would depend on the statistics, which a young table does
// not have yet.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pg/datum.h"

namespace terra_identity::pg {

/// What a look-up sees.
enum class Reads {
    latest,    ///< everything committed, and what the transaction wrote; for writers, who hold the locks
    statement, ///< what the calling statement sees; for readers, also on a standby
    committed, ///< the same as latest but what the running command wrote; for what all commands must heed at once, in
               ///< any state of the transaction, also while it is parallel. Of whole tables only
    anything,  ///< also what is not committed, or no more; for numbers that must not be given twice
};

namespace raising {

/// For `latest` and `statement`. To be registered or pushed before anything else happens.
Snapshot snapshot_of(Reads reads);

} // namespace raising

/// Which entries of an index are wanted: equal in its first columns, and on one side of a row in those that follow.
class IndexKeys {
public:
    IndexKeys& equals(std::string_view text);
    IndexKeys& equals(const std::string& text) { return equals(std::string_view(text)); }
    IndexKeys& equals(const std::optional<std::string>& text); ///< null equals null
    IndexKeys& equals(std::int64_t number);
    IndexKeys& equals(bool flag);
    IndexKeys& equals_bytes(std::string_view bytes);
    IndexKeys& greater_than(const std::string& text);
    IndexKeys& greater_than(std::int64_t number);

    /// One member of a row comparison: a value and the B-tree comparison of its column's type.
    struct RowMember {
        Datum value;
        RegProcedure comparison;
    };

    /// The next columns, at least two, compared as a row: less (BTLessStrategyNumber) or greater than these. At most
    /// once, last. (A B-tree looks for the second member of a row, whether it is there or not.)
    IndexKeys& beyond(std::initializer_list<RowMember> row, StrategyNumber strategy);

    /// Has the values compared as the index's columns are: by their collations, or byte by byte. Needed before a scan.
    /// As the functions in `raising`.
    void compare_as(Relation index);

    ScanKey keys() { return keys_.data(); }
    int count() const { return static_cast<int>(keys_.size()); }

private:
    AttrNumber next_column() const { return static_cast<AttrNumber>(keys_.size() + 1); }
    IndexKeys& equals(Datum value, RegProcedure equality);

    std::vector<ScanKeyData> keys_;
};

/// Whether a row counts. A function as in `raising`.
using RowFilter = bool (*)(const void* state, HeapTuple row, TupleDesc columns);

/// A text column, never null, and what it must be.
struct TextColumn {
    AttrNumber number;
    std::string_view text;
};

namespace raising {

/// A filter, whose state is a TextColumn.
bool has_text(const void* column, HeapTuple row, TupleDesc columns);

} // namespace raising

struct IndexScan {
    Relation table;
    const char* index; ///< its name
    Reads reads = Reads::latest;
    bool backward = false;
    std::size_t limit = SIZE_MAX; ///< rows for each of the keys
    RowFilter filter = nullptr;
    const void* filter_state = nullptr;

    /// The rows for each of the wanted keys, in the order of the index, copied into the current memory context. Keys
    /// of one call have the same columns.
    std::vector<HeapTuple> fetch(std::vector<IndexKeys> wanted) const;
    std::vector<HeapTuple> fetch(IndexKeys keys) const;
};

/// Finds the row that a unique index has for keys of all its columns, committed or the transaction's own; null if there
/// is none. Waits for transactions that are adding or removing such a row, without holding a lock meanwhile. At
/// REPEATABLE READ and above, raises 40001 if the transaction cannot see the row.
HeapTuple find_or_wait(Relation table, const char* index, IndexKeys keys);

} // namespace terra_identity::pg
