// Wording: how ids, times and people are written in sentences for people to read.
#pragma once

#include "core/connection.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace terra_identity {

/// An id as a JSON string: in double quotes, so that it cannot be taken for a part of the sentence. Quotes,
/// backslashes, control characters, characters that cannot be seen and those that are written from right to left, which
/// would reorder the sentence, are escaped, `\u202e`; everything else is as it is.
std::string quote(std::string_view id);

/// The same characters escaped, without the quotes around it.
std::string escaped(std::string_view text);

/// "2026-03-01 08:00:00 UTC", with microseconds if there are any.
std::string utc(Micros time);

/// `end user "p77"`, or that none is known.
std::string person(const std::optional<std::string>& reference_id);

/// `"a" of end user "p77"`.
std::string connection_of_person(const Connection& connection);

/// A provider or an event type as it is, if it is a plain word, as all of Terra's are; else quoted as an id.
std::string word(std::string_view name);

/// `GARMIN account "G1"`; null: the provider is not known.
std::string account_name(const std::optional<std::string>& provider, const std::string& provider_user_id);

/// " (rule: Superseded).", the end of a sentence: the rule that decided, by its name in docs/rules.md.
std::string by_rule(std::string_view rule);

/// "a", "a and b", "a, b and c".
std::string list_of(const std::vector<std::string>& items);

/// "1 connection", "2 connections".
std::string count_of(std::size_t count, std::string_view thing);

} // namespace terra_identity
