#include "core/json_tree.h"

#include "core/json_text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace terra_identity {

JsonTree::JsonTree(std::initializer_list<Member> members) : kind_(Kind::object) {
    for (const Member& member : members) {
        names_.emplace_back(member.name);
        values_.push_back(member.value);
    }
}

JsonTree JsonTree::array(const std::vector<std::string>& texts) {
    JsonTree result(Kind::array);
    result.values_.assign(texts.begin(), texts.end());
    return result;
}

JsonTree& JsonTree::operator[](std::string_view name) {
    const auto found = std::find(names_.begin(), names_.end(), name);
    if (found != names_.end())
        return values_[static_cast<std::size_t>(found - names_.begin())];
    kind_ = Kind::object;
    names_.emplace_back(name);
    return values_.emplace_back();
}

std::string JsonTree::dump() const {
    std::string json;
    append_to(json);
    return json;
}

void JsonTree::append_to(std::string& json) const {
    switch (kind_) {
    case Kind::null:
        json += "null";
        break;
    case Kind::token:
        json += text_;
        break;
    case Kind::string:
        json += json_string(text_);
        break;
    case Kind::array:
    case Kind::object:
        json += kind_ == Kind::array ? '[' : '{';
        for (std::size_t i = 0; i < values_.size(); ++i) {
            if (i > 0)
                json += ',';
            if (kind_ == Kind::object)
                json += json_string(names_[i]) + ':';
            values_[i].append_to(json);
        }
        json += kind_ == Kind::array ? ']' : '}';
    }
}

/// Is told by nlohmann's parser what stands in a text; so that no nlohmann::json is made.
class JsonTree::Parser {
public:
    bool null() { return add(JsonTree()); }
    bool boolean(bool value) { return add(JsonTree(value)); }
    bool number_integer(std::int64_t number) { return add(JsonTree(number)); }
    bool number_unsigned(std::uint64_t number) { return add(JsonTree(Kind::token, std::to_string(number))); }
    bool number_float(double, const std::string& digits) { return add(JsonTree(Kind::token, digits)); }
    bool string(std::string& text) { return add(JsonTree(std::move(text))); }
    bool binary(std::vector<std::uint8_t>&) { return false; } // never
    bool start_object(std::size_t) { return start(Kind::object); }
    bool start_array(std::size_t) { return start(Kind::array); }
    bool end_object() { return end(); }
    bool end_array() { return end(); }
    bool parse_error(std::size_t, const std::string&, const std::exception&) { return false; }

    bool key(std::string& name) {
        open_.back().names_.push_back(std::move(name));
        return true;
    }

    JsonTree result;

private:
    bool add(JsonTree value) {
        (open_.empty() ? result : open_.back().values_.emplace_back()) = std::move(value);
        return true;
    }

    bool start(Kind kind) {
        open_.push_back(JsonTree(kind));
        return true;
    }

    bool end() {
        JsonTree value = std::move(open_.back());
        open_.pop_back();
        return add(std::move(value));
    }

    std::vector<JsonTree> open_; ///< arrays and objects that have begun, the outermost first
};

JsonTree JsonTree::parse(std::string_view text) {
    Parser parser;
    if (!nlohmann::json::sax_parse(text, &parser))
        throw std::invalid_argument("no JSON that a JsonTree can hold");
    return std::move(parser.result);
}

} // namespace terra_identity
