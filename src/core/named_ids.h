// Which ids a payload names, in whatever role: also where the event has a problem, and so contributes nothing.
#pragma once

#include "core/json.h"
#include "core/text.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace terra_identity {

struct NamedIds {
    std::vector<std::string> user_ids;      ///< each once
    std::vector<std::string> reference_ids; ///< each once

    void add_user(std::string id) { add(user_ids, std::move(id)); }
    void add_reference(std::string id) { add(reference_ids, std::move(id)); }

private:
    static void add(std::vector<std::string>& ids, std::string id) {
        if (!id.empty() && id.size() <= max_id_bytes && std::find(ids.begin(), ids.end(), id) == ids.end())
            ids.push_back(std::move(id));
    }
};

/// The ids of the user objects, of the top level, and of a correction, whatever the type of the event is.
template <JsonValue J>
NamedIds named_ids(const J& payload) {
    NamedIds named;
    if (!payload.is_object())
        return named;
    const auto add = [&](const J& object) {
        named.add_user(text_or_digits(object.member("user_id")));
        named.add_reference(text_or_digits(object.member("reference_id")));
    };
    add(payload);
    for (const std::string_view name : {"user", "old_user", "new_user"})
        if (const J user = payload.member(name); user.is_object())
            add(user);
    if (const J correction = payload.member("correction"); correction.is_object())
        named.add_user(text_or_digits(correction.member("other_user_id")));
    return named;
}

/// The ids that an object, or an array of objects, has anywhere: of a payload that is not read as an event of a user.
/// At most 1,000, and not those that are nested more deeply than Terra nests anything.
template <JsonValue J>
void add_ids_within(const J& json, NamedIds& named, int depth = 0) {
    constexpr int deepest = 16;
    constexpr std::size_t most = 1000;
    if (depth > deepest || (!json.is_object() && !json.is_array()))
        return;
    json.find_member([&](std::string_view name, const J& member) {
        if (named.user_ids.size() + named.reference_ids.size() >= most)
            return true;
        const std::string id = text_or_digits(member);
        if (name == "user_id" || name == "old_user_id" || name == "new_user_id" || name == "other_user_id")
            named.add_user(id);
        else if (name == "reference_id")
            named.add_reference(id);
        add_ids_within(member, named, depth + 1);
        return false;
    });
}

} // namespace terra_identity
