#include "core/explanation.h"

#include "core/entered.h"
#include "core/effective_accounts.h"
#include "core/explained_events.h"
#include "core/text.h"
#include "core/wording.h"

#include <algorithm>
#include <set>
#include <utility>

namespace terra_identity {
namespace {

/// How many other connections a sentence names.
constexpr std::size_t most_named = 20;

/// Names connections of which there may be more. @param count how many there are, the explained one included
std::string named(const std::vector<Connection>& connections, std::int64_t count) {
    std::vector<std::string> names;
    names.reserve(connections.size() + 1);
    for (const Connection& connection : connections)
        names.push_back(connection_of_person(connection));
    const std::int64_t more = count - 1 - static_cast<std::int64_t>(names.size());
    if (count >= SomeConnections::most_counted)
        names.push_back("at least " + std::to_string(more) + " more");
    else if (more > 0)
        names.push_back(std::to_string(more) + " more");
    return list_of(names);
}

/// Explains one connection. All sentences take what they say from the facts, from the derived state, and from the
/// functions that derive it.
class Explanation {
public:
    Explanation(ExplanationSource& source, const std::string& dev_id, Connection connection)
        : source_(source), dev_id_(dev_id), connection_(std::move(connection)), facts_(connection_.facts),
          id_(quote(connection_.user_id)) {
        from_ = source_.reauths_from(connection_.user_id);
        to_ = source_.reauths_to(connection_.user_id);
        lineage_ = source_.lineage(connection_.lineage_id, most_named);
        if (const auto account = connection_.account())
            on_account_ = source_.active_on(*account, most_named + 1);
        load_others();
    }

    std::vector<Reason> tell() {
        tell_first_sight();
        for (Reason& reason : reasons_of_events(source_, connection_, from_, to_))
            reasons_.push_back(std::move(reason));
        tell_newness();
        tell_account();
        tell_superseded();
        tell_transfer();
        tell_what_it_took_over();
        tell_others_on_the_account();
        tell_dashboard();
        tell_degraded();
        tell_data();
        std::stable_sort(reasons_.begin(), reasons_.end(),
                         [](const Reason& a, const Reason& b) { return a.at < b.at; });
        tell_contradictions();
        conclude();
        return std::move(reasons_);
    }

private:
    void load_others() {
        std::set<std::string> wanted;
        if (connection_.successor_user_id)
            wanted.insert(*connection_.successor_user_id);
        for (const Reauth& reauth : from_)
            wanted.insert(reauth.new_user_id);
        for (const Reauth& reauth : to_)
            wanted.insert(reauth.old_user_id);
        others_ = source_.connections({wanted.begin(), wanted.end()});
    }

    const Connection* other(const std::string& user_id) const {
        const auto found =
            std::find_if(others_.begin(), others_.end(), [&](const Connection& one) { return one.user_id == user_id; });
        return found == others_.end() ? nullptr : &*found;
    }

    const Connection* successor() const {
        return connection_.successor_user_id ? other(*connection_.successor_user_id) : nullptr;
    }

    /// A connection that may not be to be seen, with its end user if it is.
    std::string name_of(const std::string& user_id) const {
        const Connection* const found = other(user_id);
        return found == nullptr ? quote(user_id) : connection_of_person(*found);
    }

    void add(std::optional<Micros> at, std::string_view kind, std::string sentence,
             std::optional<std::int64_t> event_id = std::nullopt) {
        reasons_.push_back({at, event_id, std::string(kind), std::move(sentence)});
    }

    /// From when on it holds what it holds, but not before it was first seen, so that an explanation begins with that.
    Micros since() const {
        return std::max(connection_.connected_at, facts_.first_seen_at.value_or(connection_.connected_at));
    }

    void tell_first_sight() {
        const Micros seen = facts_.first_seen_at.value_or(connection_.connected_at);
        std::string sentence =
            "The first event that names " + id_ + " in environment " + quote(dev_id_) + " is of " + utc(seen) + ".";
        if (facts_.created_at)
            sentence += " Terra created it at " + utc(*facts_.created_at) + ".";
        if (facts_.confirmed)
            sentence += " It is confirmed: an auth, a user_reauth or an import connected it.";
        else if (!facts_.live)
            sentence += " Only events that end it ever named it.";
        else
            sentence += " It is not confirmed: no auth, no user_reauth and no import connected it here.";
        if (!facts_.dated())
            sentence += " So nobody knows since when it exists, and it counts as older than every connection of which "
                        "that is known" +
                        by_rule(rule_names::newer);
        add(seen, "first_seen", std::move(sentence));
    }

    void tell_newness() {
        if (connection_.connected_at == facts_.connected_at())
            return;
        std::string newer = "a connection that replaced it";
        for (const Reauth& reauth : from_)
            if (const Connection* const replacing = other(reauth.new_user_id);
                replacing != nullptr && replacing->connected_at - 1 == connection_.connected_at) {
                newer = quote(replacing->user_id) + ", which replaced it";
                break;
            }
        add(since(), "connected_at",
            id_ + " counts as connected at " + utc(connection_.connected_at) + ", just before " + newer +
                ", although its own webhooks say " + utc(facts_.connected_at()) + by_rule(rule_names::connected_at));
    }

    void tell_account() {
        if (facts_.provider_user_id || !connection_.provider_user_id) {
            if (!connection_.provider_user_id && connection_.status == Status::active)
                add(since(), "account",
                    "The account of " + id_ +
                        " is not known, because no athlete event names it: Terra's GET /athlete "
                        "would. Until then nobody can see who else is on it" +
                        by_rule(rule_names::slots));
        } else {
            std::vector<const Connection*> predecessors;
            for (const Reauth& reauth : to_)
                if (const Connection* const replaced = other(reauth.old_user_id))
                    predecessors.push_back(replaced);
            const Connection* const giver = account_giver(predecessors);
            const bool is_from_giver =
                giver != nullptr && !connection_.cyclic && giver->provider_user_id == connection_.provider_user_id;
            add(since(), "account",
                "No athlete event names an account of " + id_ + ", so it has that of " +
                    (is_from_giver        ? quote(giver->user_id) + ", which it replaced"
                     : connection_.cyclic ? "the circle of connections that replaced one another"
                                          : "a connection that it replaced") +
                    ": " + account() + by_rule(rule_names::effective_account));
        }
        if (connection_.provider_user_id && connection_.account_unusable && facts_.provider)
            add(since(), "account",
                "The account ids of " + word(facts_.provider->value) +
                    " are marked as unusable, so its account tells nothing of " + id_ + by_rule(rule_names::unusable));
    }

    std::string account() const { return account_name(connection_.provider(), *connection_.provider_user_id); }

    /// What two connections share that only one of them can have at a time.
    std::string described(const Slot& slot) const {
        if (!slot.is_account())
            return "the one connection to " + word(slot.provider) + " that " + person(slot.reference_id) +
                   " can have, because " + word(slot.provider) + " is connected on the person's device";
        const std::string account = account_name(slot.provider, *slot.provider_user_id);
        if (slot.per_reference)
            return "the one connection to " + account + " that " + person(slot.reference_id) + " can have";
        return "the one connection that " + account +
               " can have, whoever the end user is, because the account policy is replace";
    }

    void tell_superseded() {
        if (connection_.status != Status::superseded)
            return;
        const Connection* const newer = successor();
        const auto slot = newer != nullptr ? shared_slot(connection_, *newer) : std::nullopt;
        add(connection_.ended_at, "superseded",
            name_of(*connection_.successor_user_id) + " took the place of " + id_ + " when it was connected" +
                (newer != nullptr ? " at " + utc(newer->connected_at) : "") +
                (slot ? ": both hold " + described(*slot) : "") + " (rules: Slots, Superseded).");
    }

    bool is_transferred() const {
        if (connection_.status == Status::superseded) {
            const Connection* const newer = successor();
            return newer != nullptr && is_taken_over(connection_, *newer);
        }
        return connection_.status == Status::replaced &&
               std::any_of(from_.begin(), from_.end(), [&](const Reauth& reauth) {
                   return reauth.transfer && reauth.new_user_id == connection_.successor_user_id;
               });
    }

    void tell_transfer() {
        if (!is_transferred())
            return;
        const Connection* const newer = successor();
        add(connection_.ended_at, "transferred",
            "The account moved from " + person(connection_.reference_id()) + " to " +
                (newer != nullptr ? person(newer->reference_id()) : "another end user") +
                ". From then on its data is the other person's, and no id of the one leads to the other" +
                by_rule(rule_names::transfer));
    }

    void tell_what_it_took_over() {
        std::vector<Connection> older;
        const auto consider = [&](const Connection& one) {
            if (one.status == Status::superseded && one.successor_user_id == connection_.user_id &&
                std::none_of(older.begin(), older.end(),
                             [&](const Connection& known) { return known.user_id == one.user_id; }))
                older.push_back(one);
        };
        for (const Connection& one : lineage_.newest)
            consider(one);
        for (const Connection& one : source_.taken_over_by(connection_.user_id, most_named))
            consider(one);
        for (const Connection& one : older)
            if (const auto slot = shared_slot(one, connection_))
                add(since(), "took_over",
                    id_ + " took the place of " + connection_of_person(one) + ": both hold " + described(*slot) +
                        " (rules: Slots, Superseded).");
    }

    void tell_others_on_the_account() {
        if (!connection_.duplicate)
            return;
        std::vector<Connection> others = on_account_.newest;
        std::erase_if(others, [&](const Connection& one) { return one.user_id == connection_.user_id; });
        if (others.empty()) {
            add(since(), "duplicate",
                "Other end users, who are hidden here, have active connections to " + account() + ", too" +
                    by_rule(rule_names::duplicate));
            return;
        }
        if (others.size() > most_named)
            others.pop_back();
        Micros first = others.front().connected_at;
        for (const Connection& one : others)
            first = std::min(first, one.connected_at);
        add(std::max(first, since()), "duplicate",
            "Other end users have active connections to " + account() + ", too: " + named(others, on_account_.count) +
                ". " + (connection_.sdk ? "A device may be shared" : "The account policy is keep") +
                ", so nothing of one end user ends because of another one (rules: Duplicate, Keep or replace).");
    }

    void tell_dashboard() {
        // Without the others, which may be hidden, nobody can say which of them is the newest.
        if (on_account_.newest.empty() || (connection_.duplicate && on_account_.newest.size() == 1))
            return;
        const Connection& shown = on_account_.newest.front();
        if (shown.user_id != connection_.user_id)
            add(std::max(shown.connected_at, since()), "dashboard",
                "Terra's dashboard shows " + connection_of_person(shown) + " for " + account() +
                    ", because that is the newest active connection of the account" +
                    (connection_.status == Status::active ? "; webhooks of " + id_ + " go on" : "") +
                    by_rule(rule_names::newer));
        else if (connection_.duplicate)
            add(since(), "dashboard",
                "Terra's dashboard shows " + id_ + " for " + account() +
                    ", because it is the newest active connection of the account; webhooks of the others go on" +
                    by_rule(rule_names::newer));
    }

    void tell_degraded() {
        if (connection_.status == Status::active && facts_.degraded_at && source_.is_degraded(connection_.user_id))
            add(facts_.degraded_at, "degraded",
                "No data, athlete, auth or user_reauth came for " + id_ + " since the connection_error of " +
                    utc(*facts_.degraded_at) + ": the person may have to connect again" +
                    by_rule(rule_names::degraded));
    }

    void tell_data() {
        const std::vector<PassingEvents> passing = source_.passing_events(connection_.user_id);
        if (passing.empty()) {
            add(facts_.first_seen_at, "data", "No data came for " + id_ + ".");
            return;
        }
        std::vector<std::string> types;
        const PassingEvents* last = &passing.front();
        Micros first = passing.front().first;
        for (const PassingEvents& one : passing) {
            types.push_back(word(excerpt(one.type)));
            first = std::min(first, one.first);
            if (one.last > last->last)
                last = &one;
        }
        std::string sentence = "Data and notices for " + id_ + " (" + list_of(types) + ") came " +
                               (first == last->last ? "at " : "from " + utc(first) + " to ") + utc(last->last) + ".";
        if (connection_.ended_at && last->last > *connection_.ended_at)
            sentence += " The last of them is later than its end of " + utc(*connection_.ended_at) +
                        ": data changes nothing, and is kept (view stale_events).";
        add(last->last, "data", std::move(sentence), last->last_event_id);
    }

    /// After everything else, however long ago it was: it asks for a decision.
    void tell_contradictions() {
        for (Contradiction& contradiction : source_.contradictions(connection_.user_id))
            add(contradiction.last_at, "contradiction", std::move(contradiction.sentence));
    }

    void conclude() { add(std::nullopt, "conclusion", status() + " " + resolution()); }

    std::string status() const {
        const std::string since = connection_.ended_at ? " since " + utc(*connection_.ended_at) : "";
        std::string is = connection_of_person(connection_) + " is " + std::string(to_string(connection_.status));
        switch (connection_.status) {
        case Status::active:
            return is + ": nothing ended it" + (facts_.last_end() ? " for good" : "") +
                   ", and no newer connection took its place" + by_rule(rule_names::status);
        case Status::superseded:
            return is + since + ", because " + name_of(*connection_.successor_user_id) + " took its place" +
                   by_rule(rule_names::superseded);
        case Status::replaced:
            return is + since + ", because a user_reauth replaced it by " + name_of(*connection_.successor_user_id) +
                   also_ended() + by_rule(rule_names::status);
        case Status::deauthenticated:
            return is + since + ", because of " + what_ended(facts_.deauthenticated_at, "a deauth") + also_ended() +
                   by_rule(rule_names::status);
        case Status::revoked:
            return is + since + ", because of " + what_ended(facts_.revoked_at, "an access_revoked") + also_ended() +
                   by_rule(rule_names::status);
        case Status::failed:
            return is + since + ", because of an auth with status error" + by_rule(rule_names::status);
        }
        return is + "."; // never
    }

    /// What ended it at this time: the webhook, unless an entered event did.
    std::string what_ended(const std::optional<Micros>& at, const char* webhook) const {
        const auto is_told = [&](std::string_view kind) {
            return std::any_of(reasons_.begin(), reasons_.end(),
                               [&](const Reason& reason) { return reason.kind == kind && reason.at == at; });
        };
        if (is_told(correction_type))
            return "a correction";
        return is_told(import_type) ? "Terra's list of users" : webhook;
    }

    /// What else ended it, but comes later in the list by which the status is chosen.
    std::string also_ended() const {
        std::vector<std::string> others;
        if (connection_.status != Status::deauthenticated && facts_.deauthenticated_at)
            others.push_back(what_ended(facts_.deauthenticated_at, "a deauth"));
        if (connection_.status != Status::revoked && connection_.status != Status::deauthenticated && facts_.revoked_at)
            others.push_back(what_ended(facts_.revoked_at, "an access_revoked"));
        if (facts_.failed_at)
            others.push_back("an auth with status error");
        return others.empty() ? "" : ", which counts before " + list_of(others);
    }

    std::string resolution() const {
        const std::string lineage = "lineage " + std::to_string(connection_.lineage_id);
        if (connection_.status == Status::active)
            return id_ + " stands for itself, " + id_ + ", in " + lineage + by_rule(rule_names::resolve);
        const auto active = std::find_if(lineage_.newest.begin(), lineage_.newest.end(),
                                         [](const Connection& one) { return one.status == Status::active; });
        if (active != lineage_.newest.end())
            return id_ + " stands for " + quote(active->user_id) + " now, the newest active connection of " + lineage +
                   by_rule(rule_names::resolve);
        std::string sentence = id_ + " stands for nobody now, because no connection of " + lineage + " is active";
        if (is_transferred())
            sentence += ", and none of another person is taken instead";
        return sentence + by_rule(rule_names::resolve);
    }

    ExplanationSource& source_;
    const std::string& dev_id_;
    const Connection connection_;
    const Facts& facts_;
    const std::string id_; ///< quoted
    std::vector<Reauth> from_, to_;
    std::vector<Connection> others_; ///< the other ends of these reauths, and the successor
    SomeConnections lineage_;
    SomeConnections on_account_;
    std::vector<Reason> reasons_;
};

/// No id is longer than this; of something else a part is enough.
std::string excerpt_of_id(const std::string& user_id) {
    return user_id.size() <= max_id_bytes ? user_id : excerpt(user_id);
}

/// The one sentence about a user_id that was never seen.
std::string never_seen(ExplanationSource& source, const std::string& dev_id, const std::string& user_id) {
    const std::string id = quote(excerpt_of_id(user_id));
    std::string sentence = "No webhook that names " + id + " has come to environment " + quote(dev_id) + ".";
    std::vector<std::string> environments;
    for (const std::string& environment : source.environments_of(user_id))
        environments.push_back(quote(environment));
    std::vector<std::string> people;
    for (const std::string& found : source.user_ids_of_reference(user_id))
        people.push_back(quote(found));
    if (!environments.empty())
        return sentence + " It is known in environment " + list_of(environments) + ", with which nothing is shared" +
               by_rule(rule_names::environment);
    if (source.has_problem(user_id))
        return sentence + " There is one with a problem, which changes nothing: see the view problems.";
    if (!people.empty())
        return sentence + " It is an end user's reference_id; explain takes the user_id, as " + list_of(people) + ".";
    std::vector<std::string> alike;
    const std::string trimmed(trim(user_id));
    std::string lower = trimmed;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    for (const Connection& one : source.connections({trimmed, lower, upper(trimmed)}))
        if (std::find(alike.begin(), alike.end(), quote(one.user_id)) == alike.end())
            alike.push_back(quote(one.user_id));
    if (!alike.empty())
        return sentence + " Ids that differ in white space or upper and lower case are different ones: known is " +
               list_of(alike) + ".";
    return sentence + " It may belong to another environment of Terra, be older than the first webhook here, or be no "
                      "user_id of Terra's.";
}

} // namespace

std::vector<Reason> explain(ExplanationSource& source, const std::string& dev_id, const std::string& user_id) {
    std::vector<Connection> found = source.connections({user_id});
    if (found.empty())
        return {{std::nullopt, std::nullopt, "conclusion", never_seen(source, dev_id, user_id)}};
    return Explanation(source, dev_id, std::move(found.front())).tell();
}

} // namespace terra_identity
