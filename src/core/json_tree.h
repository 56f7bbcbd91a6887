// A JSON value that is made to be written: the detail of a change, the payload of what forget() leaves. An
// nlohmann::json takes memory when it is destroyed, and ends the program if there is none; this one does not.
#pragma once

#include "core/fence.h"

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace terra_identity {

class JsonTree {
public:
    struct Member;

    JsonTree() = default; ///< null
    JsonTree(std::string text) : kind_(Kind::string), text_(std::move(text)) {}
    JsonTree(std::string_view text) : JsonTree(std::string(text)) {}
    JsonTree(const char* text) : JsonTree(std::string(text)) {}
    JsonTree(const std::optional<std::string>& text) : JsonTree(text ? JsonTree(*text) : JsonTree()) {}
    JsonTree(bool value) : kind_(Kind::token), text_(value ? "true" : "false") {}
    JsonTree(std::int64_t number) : kind_(Kind::token), text_(std::to_string(number)) {}
    JsonTree(std::initializer_list<Member> members); ///< an object

    static JsonTree array(const std::vector<std::string>& texts = {});

    /// Reads a JSON text. Throws std::invalid_argument if it is none, or has a number that no double is near to.
    static JsonTree parse(std::string_view text);

    bool is_null() const { return kind_ == Kind::null; }
    bool is_string() const { return kind_ == Kind::string; }
    bool is_array() const { return kind_ == Kind::array; }
    bool is_object() const { return kind_ == Kind::object; }

    /// The characters of a string.
    const std::string& text() const { return text_; }

    /// The elements of an array, or the values of an object.
    std::vector<JsonTree>& values() { return values_; }
    const std::vector<JsonTree>& values() const { return values_; }

    /// The name of the i-th value of an object.
    const std::string& name(std::size_t i) const { return names_[i]; }

    /// The member of an object, which is added as null if it is not there; null becomes an object.
    JsonTree& operator[](std::string_view name);

    /// Appends to an array.
    void push_back(JsonTree value) { values_.push_back(std::move(value)); }

    /// As JSON text.
    std::string dump() const;

private:
    enum class Kind { null, token, string, array, object };
    class Parser;

    explicit JsonTree(Kind kind, std::string text = {}) : kind_(kind), text_(std::move(text)) {}

    void append_to(std::string& json) const;

    Kind kind_ = Kind::null;
    std::string text_; ///< of a string its characters, of a token (a number, true or false) what stands in JSON
    std::vector<std::string> names_;
    std::vector<JsonTree> values_;
};

struct JsonTree::Member {
    std::string_view name;
    JsonTree value;
};

} // namespace terra_identity
