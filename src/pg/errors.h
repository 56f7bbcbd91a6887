// Errors are data: an error of the extension's own is thrown in C++, and raised in the server by guard.h.
#pragma once

#include <string>

namespace terra_identity::pg {

inline constexpr char trigger_protocol[] = "39P01"; ///< a trigger function was not called as its trigger calls it
inline constexpr char internal[] = "XX000";         ///< a mistake in the extension

struct Error {
    const char* sqlstate;
    std::string message;
    std::string detail = {};
    std::string hint = {};
};

} // namespace terra_identity::pg
