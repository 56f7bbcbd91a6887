// Functions for ids and other texts that Terra sends. Ids are trimmed, an empty id means null, and they are compared
// byte by byte.
#pragma once

#include "core/fence.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace terra_identity {

/// The longest id in bytes. Five of them and two timestamps fit a B-tree entry (2,704 bytes).
inline constexpr std::size_t max_id_bytes = 512;

/// The text without leading and trailing ASCII white space.
constexpr std::string_view trim(std::string_view text) {
    constexpr std::string_view space = " \t\n\r\v\f";
    const auto first = text.find_first_not_of(space);
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(space) - first + 1);
}

/// The part of a sender's text that a message shows: all of it, or its first 200 bytes, cut between two characters, and
/// dots.
inline std::string excerpt(std::string_view text) {
    constexpr std::size_t shown = 200;
    if (text.size() <= shown)
        return std::string(text);
    std::size_t size = shown;
    while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80)
        --size;
    return std::string(text.substr(0, size)) + "...";
}

/// The text with ASCII letters in upper case, and every other byte as it is.
inline std::string upper(std::string_view text) {
    std::string result(text);
    for (char& c : result)
        if (c >= 'a' && c <= 'z')
            c = static_cast<char>(c - 'a' + 'A');
    return result;
}

/// Whether two header names are equal but for the case of ASCII letters; `lower` is in lower case.
constexpr bool equals_ignoring_case(std::string_view name, std::string_view lower) {
    if (name.size() != lower.size())
        return false;
    for (std::size_t i = 0; i < name.size(); ++i) {
        const char c = name[i];
        if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c) != lower[i])
            return false;
    }
    return true;
}

} // namespace terra_identity
