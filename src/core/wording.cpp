#include "core/wording.h"

#include "core/hex.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace terra_identity {
namespace {

using Range = std::pair<char32_t, char32_t>;

/// Characters that cannot be seen, or change how their neighbours are shown: control and format characters; and
/// letters that are written from right to left.
constexpr std::array<Range, 23> confusing{{
    {0x00, 0x1F},     {0x7F, 0xA0},       {0xAD, 0xAD},       {0x34F, 0x34F},     {0x590, 0x8FF},      {0x115F, 0x1160},
    {0x17B4, 0x17B5}, {0x180B, 0x180F},   {0x1680, 0x1680},   {0x2000, 0x200F},   {0x2028, 0x202F},    {0x205F, 0x206F},
    {0x3000, 0x3000}, {0x3164, 0x3164},   {0xFB1D, 0xFDFF},   {0xFE00, 0xFE0F},   {0xFE70, 0xFEFF},    {0xFFA0, 0xFFA0},
    {0xFFF0, 0xFFFF}, {0x10800, 0x10FFF}, {0x1D173, 0x1D17A}, {0x1E800, 0x1EFFF}, {0xE0000, 0x10FFFF},
}};

bool is_confusing(char32_t character) {
    for (const auto& [first, last] : confusing)
        if (character >= first && character <= last)
            return true;
    return false;
}

void append_escape(std::string& text, char32_t unit) {
    text += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4)
        text += hex_digits[(unit >> shift) & 0xF];
}

/// The length in bytes of the UTF-8 character that the text begins with. 1 if it begins with none: in a database of
/// another encoding no byte may be taken for a part of the one before it.
std::size_t length_of_first(std::string_view text) {
    const auto first = static_cast<unsigned char>(text.front());
    const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 1;
    for (std::size_t k = 1; k < length; ++k)
        if (k >= text.size() || (static_cast<unsigned char>(text[k]) & 0xC0) != 0x80)
            return 1;
    return length;
}

} // namespace

std::string escaped(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size();) {
        const auto first = static_cast<unsigned char>(text[i]);
        const std::size_t length = length_of_first(text.substr(i));
        char32_t character = length == 1 ? first : first & (0xFFU >> (length + 1));
        for (std::size_t k = 1; k < length; ++k)
            character = (character << 6) | (static_cast<unsigned char>(text[i + k]) & 0x3FU);
        if (character == '"' || character == '\\') {
            result += '\\';
            result += static_cast<char>(character);
        } else if (!is_confusing(character)) {
            result += text.substr(i, length);
        } else if (character < 0x10000) {
            append_escape(result, character);
        } else {
            append_escape(result, 0xD800 + ((character - 0x10000) >> 10));
            append_escape(result, 0xDC00 + ((character - 0x10000) & 0x3FF));
        }
        i += length;
    }
    return result;
}

std::string quote(std::string_view id) { return "\"" + escaped(id) + "\""; }

std::string utc(Micros time) {
    std::string text = format_iso8601(time); // 2026-03-01T08:00:00Z
    if (text.back() == 'Z')
        text.replace(text.size() - 1, 1, " UTC").replace(text.find('T'), 1, " ");
    return text;
}

std::string person(const std::optional<std::string>& reference_id) {
    return reference_id ? "end user " + quote(*reference_id) : "an unknown end user";
}

std::string connection_of_person(const Connection& connection) {
    return quote(connection.user_id) + " of " + person(connection.reference_id());
}

std::string word(std::string_view name) {
    const bool is_plain = !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
               c == '.';
    });
    return is_plain ? std::string(name) : quote(name);
}

std::string account_name(const std::optional<std::string>& provider, const std::string& provider_user_id) {
    return provider ? word(*provider) + " account " + quote(provider_user_id)
                    : "account " + quote(provider_user_id) + " of an unknown provider";
}

std::string by_rule(std::string_view rule) { return " (rule: " + std::string(rule) + ")."; }

std::string list_of(const std::vector<std::string>& items) {
    std::string result;
    for (std::size_t i = 0; i < items.size(); ++i)
        result += (i == 0 ? "" : i + 1 < items.size() ? ", " : " and ") + items[i];
    return result;
}

std::string count_of(std::size_t count, std::string_view thing) {
    return std::to_string(count) + " " + std::string(thing) + (count == 1 ? "" : "s");
}

} // namespace terra_identity
