// jsonb in its binary form, read in place: nothing is allocated, printed or parsed.
#pragma once

#include "core/json.h"
#include "core/json_tree.h"

#include <string>
#include <string_view>

#include "pg/datum.h"

namespace terra_identity::pg {

/// A JsonValue that looks into a jsonb datum, which must be detoasted and outlive it.
class JsonbView {
public:
    JsonbView() = default; ///< an absent value
    explicit JsonbView(const Jsonb* jsonb);

    bool is_null() const { return kind_ == Kind::absent || kind_ == Kind::null; }
    bool is_object() const { return kind_ == Kind::object; }
    bool is_array() const { return kind_ == Kind::array; }
    bool is_string() const { return kind_ == Kind::string; }
    bool is_false() const { return kind_ == Kind::boolean_false; }
    bool is_integer() const { return kind_ == Kind::number && !integer().empty(); }
    std::string_view text() const { return {start_, size_}; }
    std::string integer() const; ///< empty if it is no integer of 64 bits
    JsonbView member(std::string_view key) const;

    /// A datum of its own with this value, in the current memory context; null if it is absent.
    NullableValue copy() const;

    template <class Stop>
    void find_member(Stop&& stop) const {
        const auto* const container = reinterpret_cast<const JsonbContainer*>(start_);
        const int count = static_cast<int>(JsonContainerSize(container));
        for (int i = 0; i < count; ++i) {
            const std::string_view name = is_object() ? child(container, i).text() : std::string_view();
            if (stop(name, child(container, is_object() ? i + count : i)))
                return;
        }
    }

private:
    enum class Kind { absent, null, boolean_false, boolean_true, number, string, array, object };

    static JsonbView child(const JsonbContainer* container, int index);

    Kind kind_ = Kind::absent;
    const char* start_ = nullptr; ///< a string's bytes, a number's Numeric, or a JsonbContainer
    std::size_t size_ = 0;        ///< of a string or a container in it, in bytes
};

/// A jsonb datum of this value, in the current memory context.
const Jsonb* jsonb_of(const JsonTree& json);

/// An object without one of its members, in the current memory context.
const Jsonb* without_member(const Jsonb* object, std::string_view name);

/// A jsonb datum in memory, whole: itself, or detoasted in the current memory context.
const Jsonb* detoasted_jsonb(Datum datum);

/// A jsonb datum of a JSON text, in the current memory context.
Datum jsonb_of_text(const std::string& text);

/// What there is to read of one that may be null.
JsonbView view_of(const NullableValue& jsonb);

} // namespace terra_identity::pg
