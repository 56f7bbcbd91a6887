// The names of the extension that this toolkit serves: all that it knows of it.
#pragma once

namespace terra_identity::pg {

inline constexpr char extension[] = "terra_identity";
inline constexpr char schema[] = "terra_identity";

} // namespace terra_identity::pg
