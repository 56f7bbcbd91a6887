// Ids as uuids.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace terra_identity {

using Uuid = std::array<unsigned char, 16>;

/// What PostgreSQL's cast from text to uuid gives, or null if it would fail: 32 hexadecimal digits in upper or lower
/// case, with a hyphen after any group of four, all of it in braces or not.
std::optional<Uuid> parse_uuid(std::string_view text);

} // namespace terra_identity
