// Numbers of rows: drawn from the sequences of the identity columns.
#pragma once

#include <cstdint>

namespace terra_identity::tables {

/// An identity column, of a table with dev_id.
struct IdColumn {
    const char* sequence;
    const char* table;
    const char* index; ///< on (dev_id, the column)
    int number;        ///< of the column in the table, counted from 1
    int dev_id;        ///< the number of that one
};

inline constexpr IdColumn event_ids{"events_event_id_seq", "events", "events_pkey", 1, 2};
inline constexpr IdColumn connection_ids{"connections_connection_id_seq", "connections",
                                         "connections_connection_id_idx", 1, 2};
inline constexpr IdColumn change_ids{"changes_change_id_seq", "changes", "changes_pkey", 1, 5};
inline constexpr IdColumn rejected_delivery_ids{"rejected_rejected_id_seq", "rejected", "rejected_pkey", 1, 2};
inline constexpr IdColumn refusal_counter_ids{"refusal_counters_counter_id_seq", "refusal_counters",
                                              "refusal_counters_pkey", 1, 2};
inline constexpr IdColumn signing_secret_ids{"signing_secrets_secret_id_seq", "signing_secrets", "signing_secrets_pkey",
                                             1, 2};

/// The next id of a new row, greater than all that are there. As the tables' owner would: who may insert events need
/// not have a right to the sequences behind them.
///
/// Rows may be there that the sequence knows nothing of: replication brings rows, but moves no sequence. A session
/// looks for them when it first needs an id, and always while a subscription brings rows.
std::int64_t next_id(const IdColumn& column);

/// The id of a row on its way into the table; the next one instead, if a DEFAULT has drawn it from a sequence that
/// knows nothing of rows that are there. One that was given stays.
std::int64_t checked_id(const IdColumn& column, std::int64_t id);

/// Lets a subscription's coming and going be noticed. Called once, when the module is loaded.
void register_ids();

} // namespace terra_identity::tables
