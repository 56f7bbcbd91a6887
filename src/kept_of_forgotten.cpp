#include "kept_of_forgotten.h"

#include "core/event_reader.h"
#include "core/named_ids.h"
#include "core/renaming.h"

#include <algorithm>
#include <optional>

#include "tables/tombstones.h"

namespace terra_identity {
namespace {

using namespace pg;
using namespace tables;

/// Whether only the reference_id at the top level is a forgotten one, while all users have their own.
bool is_forgotten_only_at_top(const std::string& dev_id, const Event& event, const Jsonb* payload) {
    if (!event.user)
        return false;
    const JsonbView rest(without_member(payload, "reference_id"));
    const Event again = read_event(rest, {}, 0);
    const auto same = [](const std::optional<UserObject>& one, const std::optional<UserObject>& other) {
        return one.has_value() == other.has_value() && (!one || one->reference_id == other->reference_id);
    };
    return same(again.user, event.user) && same(again.old_user, event.old_user) &&
           !is_any_forgotten(dev_id, named_ids(rest));
}

} // namespace

Kept kept(const std::string& dev_id, const Event& event, const Jsonb* payload, bool is_entered) {
    if (!has_tombstones(dev_id))
        return Kept::whole;
    const JsonbView view(payload);
    NamedIds named = named_ids(view);
    if (event.kind == EventKind::nothing)
        add_ids_within(view, named);
    // Nobody but forget() gives such names; otherwise whoever reads one could make it a connection of his.
    if (!is_entered && std::any_of(named.user_ids.begin(), named.user_ids.end(), is_name_of_forgotten))
        return Kept::not_at_all;
    if (!is_any_forgotten(dev_id, named))
        return Kept::whole;
    if (!is_entered && is_forgotten_only_at_top(dev_id, event, payload))
        return Kept::without_reference_at_top;
    if (event.kind != EventKind::user_reauth || !event.old_user)
        return Kept::not_at_all;
    NamedIds of_new_user;
    const JsonbView new_user = view.member("new_user");
    of_new_user.add_user(event.user->user_id);
    if (const JsonbView its = new_user.member("reference_id"); !its.is_null() && event.user->reference_id)
        of_new_user.add_reference(*event.user->reference_id);
    return of_new_user.reference_ids.empty() || is_any_forgotten(dev_id, of_new_user) ? Kept::not_at_all
                                                                                      : Kept::without_old_user;
}

} // namespace terra_identity
