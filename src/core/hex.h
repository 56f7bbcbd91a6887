// Hexadecimal digits.
#pragma once

#include <optional>
#include <string_view>

namespace terra_identity {

inline constexpr std::string_view hex_digits = "0123456789abcdef";

/// The value of a hexadecimal digit in either case; null if it is none.
constexpr std::optional<unsigned> hex_value(char digit) {
    if (digit >= 'A' && digit <= 'F')
        digit = static_cast<char>(digit - 'A' + 'a');
    const auto value = hex_digits.find(digit);
    return value == std::string_view::npos ? std::nullopt : std::optional(static_cast<unsigned>(value));
}

} // namespace terra_identity
