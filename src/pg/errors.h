// Errors are data: an error of the extension's own, thrown in C++ and raised by the door (guard.h).
#pragma once

#include <string>

namespace terra_identity::pg {

/// SQLSTATEs of class TI. All but `internal` name something that the caller can mend.
inline constexpr char invalid_event[] = "TI001";     ///< under strict: the payload is not what its type needs
inline constexpr char append_only[] = "TI002";       ///< the ledger was to be changed
inline constexpr char no_signing_secret[] = "TI003"; ///< signatures are required, and no secret is valid
inline constexpr char trigger_protocol[] = "39P01";  ///< a trigger function was called otherwise
inline constexpr char internal[] = "XX000";

struct Error {
    const char* sqlstate;
    std::string message;
    std::string detail = {};
    std::string hint = {};
};

} // namespace terra_identity::pg
