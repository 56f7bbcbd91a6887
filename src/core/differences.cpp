#include "core/differences.h"

#include "core/connection_columns.h"
#include "core/interrupts.h"

namespace terra_identity {
namespace {

std::optional<std::string> shown(std::int64_t id) { return std::to_string(id); }
std::optional<std::string> shown(bool flag) { return flag ? "true" : "false"; }
std::optional<std::string> shown(Status status) { return std::string(to_string(status)); }
const std::optional<std::string>& shown(const std::optional<std::string>& text) { return text; }
std::optional<std::string> shown_time(const std::optional<Micros>& time) {
    return time ? std::optional(format_iso8601(*time)) : std::nullopt;
}

std::optional<std::string> shown(const Register& written) {
    if (!written)
        return std::nullopt;
    return written->value + " (" + (written->passing ? "in passing, " : "") + format_iso8601(written->at) + ")";
}

std::string shown(const Reauth& reauth) { return reauth.old_user_id + (reauth.transfer ? " (transfer)" : ""); }

void compare(const Connection& stored, const Connection& derived, std::vector<Difference>& differences) {
    const auto compare_as = [&](const char* column, const auto& in_stored, const auto& in_derived, const auto& show) {
        if (in_stored != in_derived)
            differences.push_back({derived.user_id, column, show(in_stored), show(in_derived)});
    };
    const auto show = [](const auto& value) { return shown(value); };
    const Facts &was = stored.facts, &is = derived.facts;
    for_each_connection_column(ByKind{
        [&](const column::Id& id, int) { compare_as(id.name, stored.*id.member, derived.*id.member, show); },
        [&]<class T>(const column::Derived<T>& column, int) {
            if constexpr (is_time<T>)
                compare_as(column.name, stored.*column.member, derived.*column.member, shown_time);
            else
                compare_as(column.name, stored.*column.member, derived.*column.member, show);
        },
        [&](const column::Least& least, int) { compare_as(least.name, was.*least.fact, is.*least.fact, shown_time); },
        [&](const column::Greatest& greatest, int) {
            compare_as(greatest.name, was.*greatest.fact, is.*greatest.fact, shown_time);
        },
        [&](const column::Any& any, int) { compare_as(any.name, was.*any.fact, is.*any.fact, show); },
        [&](const column::Value& value, int) { compare_as(value.name, was.*value.fact, is.*value.fact, show); },
        [](const auto&, int) {},
    });
    if (!stored.consistent)
        differences.push_back(
            {derived.user_id, "dated, user_uuid and the times of values", "inconsistent", "consistent"});
}

} // namespace

std::vector<Difference> differences_of(const Derived& derived) {
    std::vector<Difference> differences;
    for (const Node& node : interruptible(derived.nodes))
        if (node.stored)
            compare(*node.stored, node.now, differences);
        else
            differences.push_back({node.now.user_id, "user_id", std::nullopt, node.now.user_id});
    for (const Connection& connection : interruptible(derived.vanished))
        differences.push_back({connection.user_id, "user_id", connection.user_id, std::nullopt});
    for (const Reauth& reauth : interruptible(derived.new_reauths))
        differences.push_back({reauth.new_user_id, "reauths", std::nullopt, shown(reauth)});
    for (const Reauth& reauth : interruptible(derived.vanished_reauths))
        differences.push_back({reauth.new_user_id, "reauths", shown(reauth), std::nullopt});
    return differences;
}

} // namespace terra_identity
