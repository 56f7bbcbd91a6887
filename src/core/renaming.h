// Renaming: what forget() puts in the place of a person's ids, so that what other people's connections follow from
// stays as it is.
#pragma once

#include "core/connection.h"
#include "core/json_tree.h"

#include <map>
#include <string>
#include <string_view>

namespace terra_identity {

/// What the names of forgotten ids begin with. It comes before letters and digits, so that of two values of one time,
/// of which the greater counts, the other person's does.
inline constexpr std::string_view forgotten_prefix = "!forgotten:";

/// Whether an id is a name that forget() gave.
bool is_name_of_forgotten(std::string_view id);

class Renaming {
public:
    std::map<std::string, std::string> user_ids;
    std::map<std::string, std::string> reference_ids;
    std::map<std::string, std::string> accounts; ///< provider_user_ids that are of nobody else

    bool names_user(const std::string& user_id) const { return user_ids.contains(user_id); }
    bool names_reference(const std::string& reference_id) const { return reference_ids.contains(reference_id); }

    /// The event with other names. @param hers whether it is one of her connection's, so that its account is hers, too
    Event renamed(Event event, bool hers) const;

    /// The connection with other names, in every value that is one of the ids. @param hers whether it is hers
    Connection renamed(Connection connection, bool hers) const;

    /// Renames the ids in the detail of a change, by the names of its members. @return whether there was any
    bool rename(JsonTree& detail) const;

    /// The text without the ids: where one stands between two characters that ids do not consist of.
    std::string scrubbed(std::string_view text) const;

private:
    void rename(std::string& value, const std::map<std::string, std::string>& names) const;
    void rename(std::optional<std::string>& value, const std::map<std::string, std::string>& names) const;
    void rename(Register& value, const std::map<std::string, std::string>& names) const;
};

/// Whether a body, which need not be JSON, mentions an id: as its bytes, or as JSON writes them. An id that is short, a
/// word or a number counts only as the value of a member whose name ends in `_id`, because it may be that of anything.
bool mentions(std::string_view body, std::string_view id);

} // namespace terra_identity
