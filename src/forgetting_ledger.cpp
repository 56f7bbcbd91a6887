// What forget() does to the ledger: events that are hers alone are removed. Of events from which the state of others
// follows, only what the rules read stays, under other names.
#include "core/minimal_payload.h"
#include "core/named_ids.h"
#include "core/reference_history.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "forgetting.h"
#include "ledger_row.h"
#include "pg/jsonb.h"
#include "pg/query.h"
#include "tables/ledger_edits.h"

namespace terra_identity {

using namespace pg;
using namespace tables;

namespace {

Query select_ids_of_connections = R"(
    SELECT e.event_id FROM terra_identity.events e
    WHERE e.dev_id = $1 AND e.user_id = ANY ($2)
    ORDER BY e.event_id)";

/// The user_reauths that name a connection as old.
Query select_ids_of_reauths = R"(
    SELECT e.event_id
    FROM terra_identity.reauths r
    JOIN terra_identity.events e ON e.dev_id = r.dev_id AND e.user_id = r.new_user_id AND e.event_type = 'user_reauth'
    WHERE r.dev_id = $1 AND r.old_user_id = $2
    ORDER BY e.event_id)";

Query delete_events = "DELETE FROM terra_identity.events e WHERE e.dev_id = $1 AND e.event_id = ANY ($2)";

Query update_event = R"(
    UPDATE terra_identity.events e
    SET payload = $3, headers = $4, user_id = $5, reference_id = $6, trace_id = $7, disputes_reference = $8
    WHERE e.dev_id = $1 AND e.event_id = $2)";

Query delete_deliveries = R"(
    DELETE FROM terra_identity.deliveries d
    WHERE d.trace_id = ANY ($2) AND d.dev_id = $1 AND d.event_id = ANY ($3))";

Query delete_signatures = "DELETE FROM terra_identity.signatures s WHERE s.dev_id = $1 AND s.event_id = ANY ($2)";

Query::Parameter jsonb_parameter(const JsonTree& json) {
    return {JSONBOID, json.is_null() ? NullableValue() : NullableValue(JsonbPGetDatum(jsonb_of(json)))};
}

std::vector<std::int64_t> ids_of(const SPITupleTable* rows) {
    std::vector<std::int64_t> ids;
    for (std::uint64_t row = 0, count = Query::rows(); row < count; ++row)
        ids.push_back(DatumGetInt64(pg::column(rows, row, 1).value));
    return ids;
}

/// The connections that an event contributes to.
std::vector<std::string> connections_of(const Event& event) {
    std::vector<std::string> result;
    for (const Contribution& contribution : contributions_of(event))
        result.push_back(contribution.user_id);
    return result;
}

} // namespace

void Forgetting::erase_events() {
    progress_.begin("events erased");
    std::uint64_t done = 0;
    std::vector<std::int64_t> gone, event_ids;
    const std::vector<std::int64_t> hers = events_of(user_ids_), &named = search_.found();
    std::set_union(hers.begin(), hers.end(), named.begin(), named.end(), std::back_inserter(event_ids));
    for_each_event(dev_id_, event_ids, [&](const LedgerRow& row) {
        progress_.at(++done);
        erase_event(row, gone);
    });
    remove_events(gone);
    for (auto& [user_id, superfluous] : superfluous_)
        erase_superfluous(user_id, superfluous);
}

/// The events of connections, in ascending order.
std::vector<std::int64_t> Forgetting::events_of(const std::vector<std::string>& user_ids) const {
    return ids_of(select_ids_of_connections.run({text_parameter(dev_id_), texts_parameter(user_ids)}));
}

/// Removes data of a connection that stays, which changed nothing when it came: the other events say what it says. But
/// where prune() has removed such others, it stays, without what is hers.
void Forgetting::erase_superfluous(const std::string& user_id, std::vector<std::int64_t>& event_ids) {
    if (said_[user_id].absorbs(members_[member_of_.at(user_id)].facts))
        return remove_events(event_ids);
    for_each_event(dev_id_, events_of({user_id}),
                   [&](const LedgerRow& row) { update_event_row(row, rest_of(row.event(), true), true); });
}

/// Erases what is hers of an event. @param gone takes the events to be removed
void Forgetting::erase_event(const LedgerRow& row, std::vector<std::int64_t>& gone) {
    const auto remove = [&] {
        gone.push_back(row.event_id());
        if (const auto trace_id = row.trace_id())
            erased_trace_ids_.push_back(*trace_id);
        if (gone.size() == 10'000)
            remove_events(gone);
    };
    const std::optional<std::string> user_id = row.user_id();
    if (user_id && is_hers(*user_id) && !is_rest(*user_id) && row.type() != reauth_type && !row.is_entered())
        return remove();
    const Event event = row.event();
    const bool says_nothing = event.kind == EventKind::nothing;
    const NamedIds named = named_ids(row.payload());
    const bool names_her =
        std::any_of(named.user_ids.begin(), named.user_ids.end(), [this](const auto& id) { return is_hers(id); }) ||
        std::any_of(named.reference_ids.begin(), named.reference_ids.end(),
                    [this](const auto& id) { return names_.names_reference(id); }) ||
        (!who_.user_id.empty() &&
         std::find(named.user_ids.begin(), named.user_ids.end(), who_.user_id) != named.user_ids.end());
    if (says_nothing && (names_her || mentions_her(row)))
        return remove();
    if (!names_her) {
        if (row.is_entered() && !says_nothing)
            scrub_note(row, event);
        return;
    }
    const std::vector<std::string> connections = connections_of(event);
    const auto hers = [this](const std::string& id) { return is_hers(id); };
    const bool all_hers = std::all_of(connections.begin(), connections.end(), hers);
    const bool stays = std::any_of(connections.begin(), connections.end(),
                                   [this](const std::string& id) { return !is_hers(id) || is_rest(id); });
    if (!stays)
        return remove();
    if (all_hers && event.kind == EventKind::passing && row.is_superfluous()) {
        superfluous_[event.user->user_id].push_back(row.event_id());
        if (const auto trace_id = row.trace_id())
            erased_trace_ids_.push_back(*trace_id);
        return;
    }
    for (const Contribution& contribution : contributions_of(event))
        if (is_hers(contribution.user_id))
            said_[contribution.user_id].merge(contribution.facts);
    if (!all_hers && erase_reference_at_top(row, event))
        return;
    for (const std::string& id : connections)
        if (!is_hers(id))
            former_.insert(id);
    update_event_row(row, rest_of(event, all_hers), all_hers);
}

/// Takes her reference_id from the top level of an event, if nothing else names her and it says nothing there, because
/// all users have their own. @return whether it was so
bool Forgetting::erase_reference_at_top(const LedgerRow& row, const Event& event) {
    const Jsonb* const payload = without_member(row.jsonb(), "reference_id");
    const Event rest = row.event(JsonbPGetDatum(payload));
    const NamedIds named = named_ids(JsonbView(payload));
    if (rest.user != event.user || rest.old_user != event.old_user ||
        std::any_of(named.user_ids.begin(), named.user_ids.end(), [this](const auto& id) { return is_hers(id); }) ||
        std::any_of(named.reference_ids.begin(), named.reference_ids.end(),
                    [this](const auto& id) { return names_.names_reference(id); }))
        return false;
    const LedgerEdits allowed;
    update_event.run({text_parameter(dev_id_),
                      id_parameter(row.event_id()),
                      {JSONBOID, NullableValue(JsonbPGetDatum(payload))},
                      {JSONBOID, row.headers()},
                      nullable_text_parameter(row.user_id()),
                      nullable_text_parameter(row.reference_id()),
                      nullable_text_parameter(row.trace_id()),
                      {BOOLOID, row.disputes_reference()}});
    erased_["events"].changed += static_cast<std::int64_t>(Query::rows());
    return true;
}

/// What stays of an event, under other names. What it says of her connections and did not win is left out, where it
/// would win over a name: values of one time, of which the greater one counts.
Event Forgetting::rest_of(const Event& event, bool all_hers) const {
    Event rest = names_.renamed(event, is_hers(event.user->user_id));
    // On somebody else's connection, data that names her says nothing of whose it is: an earlier or an identity event
    // does.
    if (!all_hers && event.kind == EventKind::passing)
        rest.user->reference_id.reset();
    const auto member = [this](const std::string& user_id) -> const Connection* {
        const auto found = member_of_.find(user_id);
        return found == member_of_.end() ? nullptr : &members_[found->second];
    };
    const auto drop_loser = [&](const UserObject& said, UserObject& left, const char* instead) {
        const Connection* const its = member(said.user_id);
        const Register winner = its != nullptr ? its->facts.reference_id : std::nullopt;
        if (!winner || !said.reference_id || winner->value == *said.reference_id || winner->at != event.time)
            return;
        // Without it, a user_reauth of one person stays one; of two people, it has to name another than the other user.
        left.reference_id.reset();
        if (event.old_user && is_transfer(event))
            left.reference_id = instead;
    };
    drop_loser(*event.user, *rest.user, "!forgotten.1"); // these come before every name
    if (event.old_user)
        drop_loser(*event.old_user, *rest.old_user, "!forgotten.2");
    if (const Connection* const its = member(event.user->user_id);
        its != nullptr && its->facts.provider_user_id && its->facts.provider_user_id->value != event.provider_user_id)
        rest.provider_user_id.reset();
    return rest;
}

/// Whether an event that contributes nothing has one of her ids anywhere, as a rejected body may.
bool Forgetting::mentions_her(const LedgerRow& row) const {
    const std::string text = row.json_text();
    const auto is_there = [&text](const auto& name) { return mentions(text, name.first); };
    return std::any_of(names_.user_ids.begin(), names_.user_ids.end(), is_there) ||
           std::any_of(names_.reference_ids.begin(), names_.reference_ids.end(), is_there);
}

/// Writes what stays of an event. @param hers whether it is of her connections alone: then a retry is known by its
/// tombstone, and its trace id goes
void Forgetting::update_event_row(const LedgerRow& row, const Event& rest, bool hers) {
    const std::optional<std::string> trace_id = row.trace_id();
    if (hers) {
        erased_events_.push_back(row.event_id());
        if (trace_id)
            erased_trace_ids_.push_back(*trace_id);
    }
    const LedgerEdits allowed;
    update_event.run({text_parameter(dev_id_),
                      id_parameter(row.event_id()),
                      jsonb_parameter(minimal_payload(rest)),
                      jsonb_parameter(minimal_headers(rest)),
                      text_parameter(rest.user->user_id),
                      nullable_text_parameter(rest.user->reference_id),
                      nullable_text_parameter(hers ? std::nullopt : trace_id),
                      {BOOLOID, NullableValue()}});
    erased_["events"].changed += static_cast<std::int64_t>(Query::rows());
}

/// Takes her ids out of the note of somebody else's correction.
void Forgetting::scrub_note(const LedgerRow& row, const Event& event) {
    const JsonbView correction = row.payload().member("correction");
    const JsonbView note = correction.is_object() ? correction.member("note") : JsonbView();
    if (!note.is_string())
        return;
    const std::string before(note.text()), after = names_.scrubbed(before);
    if (before == after)
        return;
    JsonTree payload = minimal_payload(event);
    payload["correction"]["note"] = after;
    const LedgerEdits allowed;
    update_event.run({text_parameter(dev_id_),
                      id_parameter(row.event_id()),
                      jsonb_parameter(payload),
                      jsonb_parameter(minimal_headers(event)),
                      nullable_text_parameter(row.user_id()),
                      nullable_text_parameter(row.reference_id()),
                      nullable_text_parameter(row.trace_id()),
                      {BOOLOID, NullableValue()}});
    erased_["events"].changed += static_cast<std::int64_t>(Query::rows());
}

void Forgetting::remove_events(std::vector<std::int64_t>& gone) {
    const LedgerEdits allowed;
    delete_events.run({text_parameter(dev_id_), ids_parameter(gone)});
    erased_["events"].erased += static_cast<std::int64_t>(Query::rows());
    erased_events_.insert(erased_events_.end(), gone.begin(), gone.end());
    gone.clear();
}

/// Somebody else's connection that was hers once: the data of that time is hers, whether it names her or not. The rows
/// stay, and their trace ids, so that a retry is known.
void Forgetting::erase_events_of_her_time(const std::string& user_id) {
    // With the ids as they were: of two values of one time, the greater one counts.
    Renaming back;
    for (const auto& [id, name] : names_.reference_ids)
        back.reference_ids.emplace(name, id);
    ReferenceHistory history(user_id);
    const std::vector<std::int64_t> event_ids = events_of({user_id});
    for_each_event(dev_id_, event_ids, [&](const LedgerRow& row) {
        if (is_identity(kind_of_type(row.type())) || row.is_entered())
            history.add(back.renamed(row.event(), false));
    });
    for_each_event(dev_id_, ids_of(select_ids_of_reauths.run({text_parameter(dev_id_), text_parameter(user_id)})),
                   [&](const LedgerRow& row) { history.add(back.renamed(row.event(), false)); });
    const std::vector<ReferencePeriod> periods = history.periods(std::nullopt);
    const auto is_name = [this](const ReferencePeriod& period) { return names_.names_reference(period.reference_id); };
    if (std::none_of(periods.begin(), periods.end(), is_name))
        return;
    for_each_event(dev_id_, event_ids, [&](const LedgerRow& row) {
        if (is_identity(kind_of_type(row.type())) || row.is_entered())
            return;
        const Event event = row.event();
        const ReferencePeriod* const period = period_at(periods, event.time);
        if (event.kind == EventKind::passing && period != nullptr && is_name(*period) && !event.user->reference_id)
            update_event_row(row, event, false);
    });
}

/// The keys of deliveries whose events are gone, or are only hers.
void Forgetting::erase_deliveries() {
    const auto dev_id = text_parameter(dev_id_);
    const auto event_ids = ids_parameter(erased_events_);
    const auto erased = [this](const char* table) -> std::int64_t& { return erased_[table].erased; };
    delete_deliveries.run({dev_id, texts_parameter(erased_trace_ids_), event_ids});
    erased("deliveries") = static_cast<std::int64_t>(Query::rows());
    delete_signatures.run({dev_id, event_ids});
    erased("signatures") = static_cast<std::int64_t>(Query::rows());
}

} // namespace terra_identity
