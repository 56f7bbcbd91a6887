#include "core/explained_events.h"

#include "core/entered.h"
#include "core/interrupts.h"
#include "core/text.h"
#include "core/wording.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace terra_identity {
namespace {

/// The reauths from a connection whose events are read. There are more only if events contradict one another.
constexpr std::size_t most_new_users = 20;

constexpr std::string_view not_read = " The event that says so could not be read.";

using Value = std::optional<std::string>;

Value value_of(const Register& written) { return written ? Value(written->value) : std::nullopt; }

class EventReasons {
public:
    EventReasons(ExplanationSource& source, const Connection& connection, const std::vector<Reauth>& from,
                 const std::vector<Reauth>& to)
        : source_(source), connection_(connection), facts_(connection.facts), id_(quote(connection.user_id)) {
        for (const Reauth& reauth : from)
            transfers_.emplace(std::pair(true, reauth.new_user_id), reauth.transfer);
        for (const Reauth& reauth : to)
            transfers_.emplace(std::pair(false, reauth.old_user_id), reauth.transfer);
        read(from);
    }

    std::vector<Reason> tell() {
        for (const LedgerEvent& one : interruptible(events_))
            tell(one);
        tell_repetitions();
        tell_facts_without_event();
        return std::move(reasons_);
    }

private:
    void read(const std::vector<Reauth>& from) {
        for (const auto& [type, kind] : identity_types)
            add(source_.identity_events(connection_.user_id, std::string(type)), type);
        std::vector<std::string> new_user_ids;
        if (facts_.replaced)
            new_user_ids.push_back(facts_.replaced->value);
        for (const Reauth& reauth : from)
            if (new_user_ids.size() < most_new_users && (!facts_.replaced || reauth.new_user_id != new_user_ids[0]))
                new_user_ids.push_back(reauth.new_user_id);
        for (const std::string& new_user_id : new_user_ids) {
            SomeEvents found = source_.identity_events(new_user_id, std::string(reauth_type));
            std::erase_if(found.events, [&](const LedgerEvent& one) {
                return !one.event.old_user || one.event.old_user->user_id != connection_.user_id;
            });
            found.complete = true; // of another connection's many events the ones that matter here are among these
            add(std::move(found), reauth_type);
        }
        for (const std::string_view type : entered_types)
            add(source_.identity_events(connection_.user_id, std::string(type)), type);
        for (const std::string& other : source_.corrected_as_same_person(connection_.user_id)) {
            SomeEvents found = source_.identity_events(other, std::string(correction_type));
            std::erase_if(found.events,
                          [&](const LedgerEvent& one) { return one.event.other_user_id != connection_.user_id; });
            found.complete = true;
            add(std::move(found), correction_type);
        }
        std::sort(events_.begin(), events_.end(), [](const LedgerEvent& a, const LedgerEvent& b) {
            return std::tie(a.event.time, a.event_id) < std::tie(b.event.time, b.event_id);
        });
    }

    void add(SomeEvents found, std::string_view type) {
        if (!found.complete)
            incomplete_.insert(std::string(type));
        std::move(found.events.begin(), found.events.end(), std::back_inserter(events_));
    }

    void tell(const LedgerEvent& one) {
        for (const Contribution& contribution : contributions_of(one.event)) {
            if (contribution.user_id != connection_.user_id)
                continue;
            matters_ = false;
            sentence_ = what_happened(one, contribution.facts);
            compare(contribution.facts);
            if (matters_)
                reasons_.push_back({one.event.time, one.event_id, one.event.type, std::move(sentence_)});
            else
                repeat(one);
        }
    }

    /// What the event says by itself, and whether that matters because of its kind.
    std::string what_happened(const LedgerEvent& one, const Facts& facts) {
        const Event& event = one.event;
        switch (event.kind) {
        case EventKind::auth_success:
            matters_ = is_first("auth");
            return "An auth says" + std::string(matters_ ? "" : " again") + " that " + id_ + " is connected." +
                   proof(event, facts);
        case EventKind::user_reauth:
            return event.old_user ? what_reauth_says(event, facts) : what_reauth_without_old_says(event, facts);
        case EventKind::auth_failure:
            return "An auth with status error says that " + id_ + " failed and was deleted." +
                   end(event, facts.failed_at == facts_.failed_at, told_.failed);
        case EventKind::deauth:
            return "A deauth ended " + id_ + "." +
                   end(event, facts.deauthenticated_at == facts_.deauthenticated_at, told_.deauthenticated);
        case EventKind::access_revoked:
            return "An access_revoked ended " + id_ + ": the access was revoked at the provider." +
                   end(event, facts.revoked_at == facts_.revoked_at, told_.revoked);
        case EventKind::permission_change:
            matters_ = is_first("permission_change");
            return "A permission_change came for " + id_ + ".";
        case EventKind::connection_error:
            matters_if(is_first("connection_error"));
            matters_if(is_fact(facts.degraded_at == facts_.degraded_at, told_.degraded));
            return "A connection_error came for " + id_ + ": its data could not be fetched, which ends nothing.";
        case EventKind::athlete:
            matters_ = is_first("athlete");
            return event.provider_user_id ? "An athlete event came for " + id_ + "."
                                          : "An athlete event for " + id_ + " names no account.";
        case EventKind::imported_alive:
            matters_ = is_first("import");
            return who_imported(one) + " names " + id_ + "." + proof(event, facts);
        case EventKind::imported_listed:
            matters_ = is_first("import of one that is not active");
            return who_imported(one) + " names " + id_ +
                   ", but not as active, which is no proof of life and ends nothing.";
        case EventKind::imported_deauthenticated:
            return who_imported(one) + " says that " + id_ + " has ended, at an unknown time before." +
                   end(event, facts.deauthenticated_at == facts_.deauthenticated_at, told_.deauthenticated);
        case EventKind::imported_revoked:
            return who_imported(one) + " says that the access of " + id_ +
                   " was revoked at the provider, at an unknown time before." +
                   end(event, facts.revoked_at == facts_.revoked_at, told_.revoked);
        case EventKind::corrected_active:
            matters_ = true;
            return who_corrected(one, id_ + " is alive") + proof(event, facts);
        case EventKind::corrected_ended:
            matters_ = true;
            return who_corrected(one, id_ + " has ended") +
                   end(event, facts.deauthenticated_at == facts_.deauthenticated_at, told_.deauthenticated);
        case EventKind::corrected_same_person:
        case EventKind::corrected_not_same_person:
            matters_ = true;
            return what_correction_says_of_two(one);
        case EventKind::nothing: // never
        case EventKind::passing: // never
            break;               // never
        }
        return ""; // never
    }

    static std::string who_corrected(const LedgerEvent& one, const std::string& what) {
        return "The role " + quote(one.entered_by) + " corrected that " + what + ": " + quote(excerpt(one.note)) + ".";
    }

    static std::string who_imported(const LedgerEvent& one) {
        return "Terra's list of users, which the role " + quote(one.entered_by) + " imported,";
    }

    std::string what_correction_says_of_two(const LedgerEvent& one) {
        const Event& event = one.event;
        const std::string& other_user_id =
            event.user->user_id == connection_.user_id ? *event.other_user_id : event.user->user_id;
        const std::string both = id_ + " and " + quote(other_user_id);
        if (event.kind == EventKind::corrected_not_same_person)
            return who_corrected(one, both + " are not of the same person, which takes back that they are");
        std::string sentence = who_corrected(one, both + " are of the same person");
        for (const Connection& other : source_.connections({other_user_id}))
            sentence += may_be_same_person(connection_, other)
                            ? " So they are of one lineage, unless that was taken back"
                            : " That does not count, because their end users or providers differ";
        return sentence + by_rule(rule_names::lineage);
    }

    std::string what_reauth_says(const Event& event, const Facts& facts) {
        const bool is_old = event.old_user->user_id == connection_.user_id;
        const std::string& other = is_old ? event.user->user_id : event.old_user->user_id;
        matters_ = is_first("user_reauth " + other);
        std::string sentence = is_old ? "A user_reauth replaced " + id_ + " by " + quote(other) + "."
                                      : "A user_reauth replaced " + quote(other) + " by " + id_ + ".";
        if (is_transfer(event)) {
            const auto pair = transfers_.find(std::pair(is_old, other));
            sentence += " It names two people, " + person(event.old_user->reference_id) + " before and " +
                        person(event.user->reference_id) + " now";
            if (pair == transfers_.end())
                sentence += ".";
            else if (pair->second)
                sentence += ", so it puts the two connections into no lineage" + by_rule(rule_names::lineage);
            else
                sentence += ", but another user_reauth of the two connections does not, so they are of one lineage" +
                            by_rule(rule_names::lineage);
        }
        return sentence +
               (is_old ? end(event, facts.replaced == facts_.replaced, told_.replaced) : proof(event, facts));
    }

    std::string what_reauth_without_old_says(const Event& event, const Facts& facts) {
        matters_ = is_first("user_reauth");
        return "A user_reauth named " + id_ +
               " as the new connection and no other as the old one: it links it to nothing before." +
               proof(event, facts);
    }

    /// Notes an ending fact. @param is_the_fact the connection's fact was taken from this event
    std::string end(const Event& event, bool is_the_fact, bool& told) {
        matters_if(is_first("end by " + event.type));
        matters_if(is_fact(is_the_fact, told));
        if (facts_.ended() || !facts_.alive_at || *facts_.alive_at <= event.time)
            return "";
        return " It does not count, because " + id_ + " proved to be alive later, at " + utc(*facts_.alive_at) +
               by_rule(rule_names::ended);
    }

    /// What an event that may be a proof of life proves, if there is an end that it could undo.
    std::string proof(const Event& event, const Facts& facts) {
        const std::optional<Micros> last_end = facts_.last_end();
        if (!last_end)
            return "";
        if (!facts_.ended() && facts.alive_at == facts_.alive_at) {
            matters_if(is_fact(true, told_.alive));
            return " It proves that " + id_ + " was alive at " + utc(*facts_.alive_at) +
                   ", later than everything that ended it" + by_rule(rule_names::ended);
        }
        if (!facts_.ended() || (event.time <= *last_end && (!facts.alive_at || *facts.alive_at <= event.time)))
            return "";
        matters_if(is_first("no proof"));
        return (facts.alive_at ? " It was sent for what happened at " + utc(*facts.alive_at)
                               : " It has neither an ordering timestamp nor a created_at") +
               ", so it is no proof of life after the end of " + utc(*last_end) + by_rule(rule_names::ended);
    }

    /// Adds what the event changed of the values that events write.
    void compare(const Facts& facts) {
        const auto change = [&](Register& said, const Register& written) {
            const Value before = value_of(said);
            keep_winner(said, written);
            const Value after = value_of(said);
            matters_if(before != after);
            return std::pair(before, after);
        };
        if (const auto [before, after] = change(said_.provider, facts.provider); before && before != after)
            sentence_ += " The provider is " + quote(*after) + " from now on; it was " + quote(*before) + ".";
        if (const auto [before, after] = change(said_.reference_id, facts.reference_id); before != after)
            sentence_ +=
                " It belongs to " + person(after) + (before ? " from now on; before to " + person(before) : "") + ".";
        if (const auto [before, after] = change(said_.provider_user_id, facts.provider_user_id); before != after)
            sentence_ += " Its account is " + account(*after) + (before ? "; it was " + account(*before) : "") + ".";
        if (const auto [before, after] = change(said_.scopes, facts.scopes); before != after)
            sentence_ += " Its scopes are " + quote(excerpt(*after)) +
                         (before ? "; they were " + quote(excerpt(*before)) : "") + ".";
    }

    std::string account(const std::string& provider_user_id) const {
        return account_name(value_of(said_.provider ? said_.provider : facts_.provider), provider_user_id);
    }

    void repeat(const LedgerEvent& one) {
        auto& [count, last] = repeated_[one.event.type];
        ++count;
        last = &one;
    }

    void tell_repetitions() {
        for (const auto& [type, repeated] : repeated_) {
            const auto& [count, last] = repeated;
            reasons_.push_back({last->event.time, last->event_id, type,
                                "Until " + utc(last->event.time) + " " + count_of(count, "more " + type + " event") +
                                    (count == 1 ? " says" : " say") + " nothing new of " + id_ + "." +
                                    (incomplete_.contains(type) ? " There are too many to read all of them." : "")});
        }
    }

    /// Facts come from events. Those of which no event was told are told by themselves.
    void tell_facts_without_event() {
        const auto add = [&](Micros at, std::string_view kind, const std::string& sentence) {
            reasons_.push_back({at, std::nullopt, std::string(kind), sentence + std::string(not_read)});
        };
        if (facts_.replaced && !told_.replaced)
            add(facts_.replaced->at, reauth_type,
                "A user_reauth replaced " + id_ + " by " + quote(facts_.replaced->value) + ".");
        if (facts_.deauthenticated_at && !told_.deauthenticated)
            add(*facts_.deauthenticated_at, "deauth", "A deauth, a correction or an import ended " + id_ + ".");
        if (facts_.revoked_at && !told_.revoked)
            add(*facts_.revoked_at, "access_revoked", "An access_revoked or an import ended " + id_ + ".");
        if (facts_.failed_at && !told_.failed)
            add(*facts_.failed_at, "auth", "An auth with status error says that " + id_ + " failed.");
        if (facts_.degraded_at && !told_.degraded)
            add(*facts_.degraded_at, "connection_error", "A connection_error came for " + id_ + ".");
        if (facts_.last_end() && !facts_.ended() && !told_.alive)
            reasons_.push_back({facts_.alive_at, std::nullopt, "revived",
                                id_ + " proved to be alive at " + utc(*facts_.alive_at) +
                                    ", later than everything that ended it" + by_rule(rule_names::ended) +
                                    std::string(not_read)});
        if (facts_.provider_user_id && value_of(said_.provider_user_id) != facts_.provider_user_id->value)
            add(facts_.provider_user_id->at, "athlete",
                "An athlete event names the account of " + id_ + ": " + quote(facts_.provider_user_id->value) + ".");
        if (const Register& named = facts_.reference_id; named && value_of(said_.reference_id) != named->value) {
            if (named->passing)
                reasons_.push_back({named->at, std::nullopt, "reference_id",
                                    id_ + " belongs to " + person(named->value) +
                                        ", as data says; no event that connects or ends it names anybody."});
            else
                add(named->at, "reference_id", id_ + " belongs to " + person(named->value) + ".");
        }
    }

    void matters_if(bool condition) { matters_ = matters_ || condition; }

    bool is_first(const std::string& what) { return seen_.insert(what).second; }

    /// Whether the connection's fact was taken from an event, and no event before was told to be that one.
    static bool is_fact(bool is_the_fact, bool& told) { return is_the_fact && !std::exchange(told, true); }

    /// Of which facts an event was told.
    struct Told {
        bool replaced = false, deauthenticated = false, revoked = false, failed = false, degraded = false,
             alive = false;
    };

    ExplanationSource& source_;
    const Connection& connection_;
    const Facts& facts_;
    const std::string id_; ///< quoted
    /// Of each reauth whether it is a transfer; by whether this connection is the old one, and the other user_id.
    std::map<std::pair<bool, std::string>, bool> transfers_;
    std::vector<LedgerEvent> events_;  ///< oldest first
    std::set<std::string> incomplete_; ///< types of which not all events were read
    std::vector<Reason> reasons_;
    Facts said_; ///< the values that the events until now wrote
    Told told_;
    std::set<std::string> seen_;
    std::map<std::string, std::pair<std::size_t, const LedgerEvent*>> repeated_; ///< by type

    // Of the event that is being told.
    bool matters_ = false;
    std::string sentence_;
};

} // namespace

std::vector<Reason> reasons_of_events(ExplanationSource& source, const Connection& connection,
                                      const std::vector<Reauth>& from, const std::vector<Reauth>& to) {
    return EventReasons(source, connection, from, to).tell();
}

} // namespace terra_identity
