// Ids of rows: drawn from the sequences of identity columns.
#pragma once

#include <cstdint>

namespace terra_identity::tables {

/// A column of another table that has ids of rows that may have been deleted.
struct IdMark {
    const char* table;
    const char* index; ///< of all its rows
    int number;        ///< the number of the column in the table, counted from 1
};

/// An identity column of a table that has a dev_id.
struct IdColumn {
    const char* sequence;
    const char* table;
    const char* index; ///< on (dev_id, the column)
    int number;        ///< the number of the column in the table, counted from 1
    int dev_id;        ///< the number of the column dev_id
    const IdMark* mark = nullptr;
};

inline constexpr IdMark pruned_events{"prune_positions", "prune_positions_pkey", 3};
inline constexpr IdMark positions_of_consumers{"consumers", "consumers_pkey", 3};

inline constexpr IdColumn event_ids{"events_event_id_seq", "events", "events_pkey", 1, 2, &pruned_events};
inline constexpr IdColumn connection_ids{"connections_connection_id_seq", "connections", "connections_key", 1, 2};
inline constexpr IdColumn change_ids{"changes_change_id_seq", "changes", "changes_pkey", 1, 5};
inline constexpr IdColumn change_positions{"changes_position_seq", "changes", "changes_position_key", 10, 5,
                                           &positions_of_consumers};
inline constexpr IdColumn rejected_delivery_ids{"rejected_rejected_id_seq", "rejected", "rejected_pkey", 1, 2};
inline constexpr IdColumn refusal_counter_ids{"refusal_counters_counter_id_seq", "refusal_counters",
                                              "refusal_counters_pkey", 1, 2};
inline constexpr IdColumn disconnect_ids{"disconnects_disconnect_id_seq", "disconnects", "disconnects_pkey", 1, 2};
inline constexpr IdColumn signing_secret_ids{"signing_secrets_secret_id_seq", "signing_secrets", "signing_secrets_pkey",
                                             1, 2};

/// Returns the next id for a new row, greater than all ids in the table and its mark. It draws the id with the rights
/// of the tables' owner, because a user who may insert events need not have rights to the sequences. The table is
/// locked as by an INSERT before it is drawn, so that who has waited for those who write finds the rows of all ids that
/// were drawn.
///
/// A sequence may be behind the rows of its table and its mark, because replication brings rows but moves no sequence.
/// A session compares the two when it first needs an id, and every time while a subscription brings rows.
std::int64_t next_id(const IdColumn& column);

/// Checks the id of a row that is being inserted. Returns the next id instead if a DEFAULT has drawn this one from a
/// sequence that is behind the rows of its table. An id that the INSERT gave is kept.
std::int64_t checked_id(const IdColumn& column, std::int64_t id);

/// Registers a callback that notices when a subscription is added or dropped. Called once, when the module is loaded.
void register_ids();

} // namespace terra_identity::tables
