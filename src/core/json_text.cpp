#include "core/json_text.h"

#include "core/hex.h"

namespace terra_identity {

std::string json_string(std::string_view text) {
    std::string result = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\')
            result += {'\\', c};
        else if (static_cast<unsigned char>(c) >= 0x20)
            result += c;
        else {
            result += "\\u00";
            result += {hex_digits[static_cast<unsigned char>(c) / 16], hex_digits[static_cast<unsigned char>(c) % 16]};
        }
    }
    return result += '"';
}

void JsonObjectText::add(std::string_view name, std::string_view value) {
    if (value.empty())
        return;
    if (!empty())
        text_ += ',';
    text_ += json_string(name);
    text_ += ':';
    text_ += value;
}

} // namespace terra_identity
