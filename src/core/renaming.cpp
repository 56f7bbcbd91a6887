#include "core/renaming.h"

#include "core/hex.h"
#include "core/text.h"

#include <cstdint>
#include <optional>
#include <utility>

namespace terra_identity {
namespace {

using Names = std::map<std::string, std::string>;

/// Whether an id is no word, and no number, that anything else may be as well: it is long enough, and has characters of
/// two kinds.
bool is_telling(std::string_view id) {
    constexpr std::size_t telling_bytes = 6;
    bool digit = false, other = false, letter = false;
    for (const char byte : id) {
        const bool is_digit = byte >= '0' && byte <= '9';
        const bool is_letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        digit = digit || is_digit;
        letter = letter || is_letter;
        other = other || !(is_digit || is_letter);
    }
    return id.size() >= telling_bytes && digit + letter + other > 1;
}

/// Whether a byte is none that ids consist of, as Terra and apps make them.
bool is_boundary(char byte) {
    const auto code = static_cast<unsigned char>(byte);
    const bool is_word = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
    return !is_word && code < 0x80 && std::string_view("_-.@+!#$%").find(byte) == std::string_view::npos;
}

bool stands_alone(std::string_view text, std::size_t at, std::size_t size) {
    return (at == 0 || is_boundary(text[at - 1])) && (at + size == text.size() || is_boundary(text[at + size]));
}

/// Whether what stands before a place is the name of a member that ends in `_id`, and a colon or an equals sign.
bool follows_name_of_id(std::string_view text, std::size_t at) {
    std::string_view before = text.substr(0, at);
    const auto skip = [&before](std::string_view skipped) {
        const auto last = before.find_last_not_of(skipped);
        before = last == std::string_view::npos ? std::string_view() : before.substr(0, last + 1);
    };
    skip("\"' \t\r\n\\");
    if (before.empty() || (before.back() != ':' && before.back() != '='))
        return false;
    skip(":=\"' \t\r\n\\");
    return before.ends_with("_id");
}

/// Appends a code point in UTF-8.
void append_utf8(std::string& text, std::uint32_t code) {
    const auto put = [&text](std::uint32_t byte) { text += static_cast<char>(byte); };
    if (code < 0x80) {
        put(code);
    } else if (code < 0x800) {
        put(0xC0 | code >> 6);
        put(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        put(0xE0 | code >> 12);
        put(0x80 | (code >> 6 & 0x3F));
        put(0x80 | (code & 0x3F));
    } else {
        put(0xF0 | code >> 18);
        put(0x80 | (code >> 12 & 0x3F));
        put(0x80 | (code >> 6 & 0x3F));
        put(0x80 | (code & 0x3F));
    }
}

/// The four hex digits of a \u at a place; null if there are none.
std::optional<std::uint32_t> unit_at(std::string_view text, std::size_t at) {
    if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u')
        return std::nullopt;
    std::uint32_t unit = 0;
    for (const char digit : text.substr(at + 2, 4)) {
        const auto value = hex_value(digit);
        if (!value)
            return std::nullopt;
        unit = unit * 16 + *value;
    }
    return unit;
}

/// The text with what JSON escapes written out, wherever it stands.
std::string unescaped(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\' || i + 1 == text.size()) {
            result += text[i];
        } else if (const auto unit = unit_at(text, i)) {
            const auto low = unit_at(text, i + 6);
            const bool is_pair = *unit >= 0xD800 && *unit < 0xDC00 && low && *low >= 0xDC00 && *low < 0xE000;
            append_utf8(result, is_pair ? 0x10000 + ((*unit - 0xD800) << 10) + (*low - 0xDC00) : *unit);
            i += is_pair ? 11 : 5;
        } else {
            ++i;
            const std::string_view from = "bfnrt", to = "\b\f\n\r\t";
            const auto known = from.find(text[i]);
            result += known == std::string_view::npos ? text[i] : to[known];
        }
    }
    return result;
}

bool mentions_as_it_is(std::string_view body, std::string_view id) {
    for (std::size_t at = body.find(id); at != std::string_view::npos; at = body.find(id, at + 1))
        if (stands_alone(body, at, id.size()) && (is_telling(id) || follows_name_of_id(body, at)))
            return true;
    return false;
}

} // namespace

bool is_name_of_forgotten(std::string_view id) {
    constexpr std::size_t digits = 32;
    return id.size() == forgotten_prefix.size() + digits && id.starts_with(forgotten_prefix) &&
           id.find_first_not_of(hex_digits, forgotten_prefix.size()) == std::string_view::npos;
}

bool mentions(std::string_view body, std::string_view id) {
    return !id.empty() && (mentions_as_it_is(body, id) ||
                           (body.find('\\') != std::string_view::npos && mentions_as_it_is(unescaped(body), id)));
}

Event Renaming::renamed(Event event, bool hers) const {
    for (std::optional<UserObject>* const user : {&event.user, &event.old_user})
        if (*user) {
            rename((*user)->user_id, user_ids);
            rename((*user)->reference_id, reference_ids);
        }
    rename(event.other_user_id, user_ids);
    rename(event.reference_id, reference_ids);
    if (hers)
        rename(event.provider_user_id, accounts);
    return event;
}

Connection Renaming::renamed(Connection connection, bool hers) const {
    Facts& facts = connection.facts;
    rename(connection.user_id, user_ids);
    rename(connection.successor_user_id, user_ids);
    rename(facts.replaced, user_ids);
    rename(facts.same_person_as, user_ids);
    rename(facts.reference_id, reference_ids);
    if (hers) {
        rename(connection.provider_user_id, accounts);
        rename(facts.provider_user_id, accounts);
    }
    return connection;
}

bool Renaming::rename(JsonTree& detail) const {
    bool found = false;
    const auto rename_value = [&](JsonTree& value, const Names& names) {
        const auto name = value.is_string() ? names.find(value.text()) : names.end();
        if (name == names.end())
            return;
        value = name->second;
        found = true;
    };
    if (!detail.is_object())
        return false;
    for (std::size_t i = 0; i < detail.values().size(); ++i) {
        JsonTree& value = detail.values()[i];
        const std::string& name = detail.name(i);
        if (name == "candidates" && value.is_array())
            for (JsonTree& candidate : value.values())
                rename_value(candidate, user_ids);
        else if (name == "connections" && value.is_array())
            for (JsonTree& connection : value.values())
                found = rename(connection) || found;
        else if (name.ends_with("provider_user_id"))
            continue;
        else if (name.ends_with("user_id"))
            rename_value(value, user_ids);
        else if (name.ends_with("reference_id"))
            rename_value(value, reference_ids);
    }
    return found;
}

std::string Renaming::scrubbed(std::string_view text) const {
    std::string result(text);
    for (const Names* const names : {&user_ids, &reference_ids})
        for (const auto& [id, name] : *names)
            for (std::size_t at = result.find(id); at != std::string::npos;) {
                const bool alone = stands_alone(result, at, id.size());
                if (alone)
                    result.replace(at, id.size(), name);
                at = result.find(id, at + (alone ? name.size() : 1));
            }
    return result;
}

void Renaming::rename(std::string& value, const Names& names) const {
    if (const auto name = names.find(value); name != names.end())
        value = name->second;
}

void Renaming::rename(std::optional<std::string>& value, const Names& names) const {
    if (value)
        rename(*value, names);
}

void Renaming::rename(Register& value, const Names& names) const {
    if (value)
        rename(value->value, names);
}

} // namespace terra_identity
