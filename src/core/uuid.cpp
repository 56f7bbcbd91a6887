#include "core/uuid.h"

#include "core/hex.h"

#include <cstddef>

namespace terra_identity {

std::optional<Uuid> parse_uuid(std::string_view text) {
    if (text.size() >= 2 && text.front() == '{' && text.back() == '}')
        text = text.substr(1, text.size() - 2);
    Uuid uuid{};
    for (std::size_t byte = 0; byte < uuid.size(); ++byte) {
        if (text.size() < 2)
            return std::nullopt;
        const auto high = hex_value(text[0]), low = hex_value(text[1]);
        if (!high || !low)
            return std::nullopt;
        uuid[byte] = static_cast<unsigned char>(*high << 4 | *low);
        text.remove_prefix(2);
        if (byte % 2 == 1 && byte + 1 < uuid.size() && text.starts_with('-'))
            text.remove_prefix(1);
    }
    return text.empty() ? std::optional(uuid) : std::nullopt;
}

} // namespace terra_identity
