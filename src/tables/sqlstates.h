// The SQLSTATEs of class TI: each names something that the caller can mend. docs/reference.md lists them.
#pragma once

namespace terra_identity::tables {

inline constexpr char invalid_event[] = "TI001";     ///< under `strict`: the payload is not what its type needs
inline constexpr char append_only[] = "TI002";       ///< UPDATE, DELETE or TRUNCATE of the ledger
inline constexpr char no_signing_secret[] = "TI003"; ///< signatures are required, and no signing secret is valid
inline constexpr char cannot_correct[] = "TI004";    ///< what correct() was asked to say, an event cannot say
inline constexpr char no_tombstone_key[] = "TI005";  ///< there are tombstones, but not the key that they were made with

} // namespace terra_identity::tables
