// Writes a JSON object as text, member by member.
#pragma once

#include "core/fence.h"

#include <string>
#include <string_view>
#include <utility>

namespace terra_identity {

/// The text as a JSON string: in double quotes, with what JSON wants escaped.
std::string json_string(std::string_view text);

/// A JSON object that is being written. A value is JSON text; an empty one leaves the member out.
class JsonObjectText {
public:
    void add(std::string_view name, std::string_view value);
    bool empty() const { return text_.size() == 1; }
    std::string finish() && { return std::move(text_ += '}'); }

private:
    std::string text_ = "{";
};

} // namespace terra_identity
