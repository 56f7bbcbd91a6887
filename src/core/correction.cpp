#include "core/correction.h"

namespace terra_identity {

std::optional<EventKind> correction_of(std::string_view word) {
    for (const auto& [name, kind] : correction_words)
        if (name == word)
            return kind;
    return std::nullopt;
}

} // namespace terra_identity
