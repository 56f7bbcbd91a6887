// JSON values as the core reads them: the concept JsonValue, and its implementation over nlohmann::json.
#pragma once

#include "core/fence.h"
#include "core/text.h"

#include <nlohmann/json.hpp>

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>

namespace terra_identity {

/// A JSON value, possibly absent. `is_null()` is also true for an absent value.
template <class J>
concept JsonValue = requires(const J& json, std::string_view key, bool (*stop)(std::string_view, J)) {
    { json.is_null() } -> std::same_as<bool>;
    { json.is_object() } -> std::same_as<bool>;
    { json.is_array() } -> std::same_as<bool>;
    { json.is_string() } -> std::same_as<bool>;
    { json.is_false() } -> std::same_as<bool>;
    { json.is_integer() } -> std::same_as<bool>;              ///< a number that is an integer of 64 bits
    { json.text() } -> std::convertible_to<std::string_view>; ///< the characters of a string
    { json.integer() } -> std::same_as<std::string>;          ///< the digits of an integer
    { json.member(key) } -> std::same_as<J>;                  ///< a member of an object; absent if it has none
    /// Calls `stop` for each member of an object or array, in order, until it returns true; elements of arrays have
    /// empty names.
    json.find_member(stop);
};

/// A string, trimmed, or the digits of an integer; else empty. So ids are read where a value that is none does not
/// matter.
template <JsonValue J>
std::string text_or_digits(const J& value) {
    return value.is_string() ? std::string(trim(value.text())) : value.is_integer() ? value.integer() : std::string();
}

/// How many digits the exponents in a valid JSON text add when its numbers are written out: 1e131071 has 8 bytes, and
/// 128 kB written out.
inline std::size_t digits_of_exponents(std::string_view json) {
    std::size_t digits = 0;
    for (std::size_t i = 0; i < json.size(); ++i) {
        if (json[i] == '"') {
            for (++i; i < json.size() && json[i] != '"'; ++i)
                i += json[i] == '\\' ? 1 : 0;
        } else if ((json[i] == 'e' || json[i] == 'E') && i > 0 && json[i - 1] >= '0' && json[i - 1] <= '9') {
            std::size_t exponent = 0;
            for (++i; i < json.size() && (json[i] == '+' || json[i] == '-' || (json[i] >= '0' && json[i] <= '9')); ++i)
                if (json[i] >= '0' && exponent < 1'000'000)
                    exponent = exponent * 10 + static_cast<std::size_t>(json[i] - '0');
            --i;
            digits += exponent;
        }
    }
    return digits;
}

/// A JsonValue that refers to an nlohmann::json, or is absent.
class NlohmannView {
public:
    NlohmannView() = default;
    explicit NlohmannView(const nlohmann::json& json) : json_(&json) {}

    bool is_null() const { return json_ == nullptr || json_->is_null(); }
    bool is_object() const { return json_ != nullptr && json_->is_object(); }
    bool is_array() const { return json_ != nullptr && json_->is_array(); }
    bool is_string() const { return json_ != nullptr && json_->is_string(); }
    bool is_false() const { return json_ != nullptr && json_->is_boolean() && !json_->get<bool>(); }
    bool is_integer() const { return json_ != nullptr && json_->is_number_integer(); }
    std::string_view text() const { return json_->get_ref<const std::string&>(); }
    std::string integer() const { return json_->dump(); }

    NlohmannView member(std::string_view key) const {
        const auto found = json_->find(key);
        return found == json_->end() ? NlohmannView() : NlohmannView(*found);
    }

    template <class Stop>
    void find_member(Stop&& stop) const {
        static const std::string no_name;
        for (auto it = json_->begin(); it != json_->end(); ++it)
            if (stop(std::string_view(json_->is_object() ? it.key() : no_name), NlohmannView(*it)))
                return;
    }

private:
    const nlohmann::json* json_ = nullptr;
};

static_assert(JsonValue<NlohmannView>);

} // namespace terra_identity
