// Plays any history. The state is a function of the set of events: after every batch it is the one that
// test/unit/brute_force.h computes from them. It does not depend on order, batches, repetition, a rebuild or earlier
// rules. The feed `changes` reports every change of it.
//
// Input: lines. The first is the policy: `keep` or `replace`. Every other line is an event; an empty line ends a batch.
// An event is these characters, of which the last ones may be left out:
//   kind       a auth, e auth with an error, h athlete, b body, r user_reauth, d deauth, v access_revoked,
//              p permission_change, c connection_error; the corrections k active, n ended, s same_person_as,
//              t not_same_person_as, which use no more than the time of what follows other; the imports i alive,
//              l listed, x deauthenticated, w revoked
//   user_id    a to f; of a user_reauth the new one
//   other      of a user_reauth the old user_id; of a correction the other user_id; of an athlete the account: x, y;
//              - for none
//   provider   O OURA, A APPLE (an SDK provider), D DASH (whose account ids are unusable), - none
//   reference  a anna, b bert, - none
//   stamp      @ with an ordering timestamp, - without
//   time       the event time, a second: 0 to 9, then A to Z
//   created    created_at, written in the same way; - none
//   scopes     r read, w write, - none
//   and provider, reference and created of the old user, of a user_reauth
// Any other character stands for one of these, except for D, the corrections and the imports, so that every input is a
// history. A user_reauth whose two users have different references is a transfer.
#include "promise.h"

#include "core/correction.h"
#include "harness.h"

#include <algorithm>
#include <random>
#include <set>
#include <string_view>

namespace terra_identity::fuzz {
namespace {

using namespace terra_identity::test;

constexpr std::size_t most_events = 24;
constexpr std::size_t most_bytes = 512; // enough for the largest number of events

/// The characters of a line, one after another.
class Line {
public:
    explicit Line(std::string_view text) : rest_(text) {}

    /// Returns one of the characters `meanings`. At the end of the line it is the last of them, which stands for
    /// nothing.
    /// @param rare further characters that are possible, for which no other character stands
    char next(std::string_view meanings, std::string_view rare = {}) {
        if (rest_.empty())
            return meanings.back();
        const char c = rest_.front();
        rest_.remove_prefix(1);
        const bool has_meaning = meanings.find(c) != std::string_view::npos || rare.find(c) != std::string_view::npos;
        return has_meaning ? c : meanings[static_cast<unsigned char>(c) % meanings.size()];
    }

    std::optional<std::string> next_name(std::string_view meanings, std::string_view rare = {}) {
        const char c = next(meanings, rare);
        return c == '-' ? std::nullopt : std::optional(std::string(1, c));
    }

    std::optional<Micros> next_time() {
        static constexpr std::string_view times = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-";
        const char c = next(times);
        return c == '-' ? std::nullopt : std::optional(second(static_cast<int>(times.find(c))));
    }

private:
    std::string_view rest_;
};

EventKind next_kind(Line& line) {
    using enum EventKind;
    switch (line.next("aehrdvpcb", "knstilxw")) {
    case 'k':
        return corrected_active;
    case 'n':
        return corrected_ended;
    case 's':
        return corrected_same_person;
    case 't':
        return corrected_not_same_person;
    case 'i':
        return imported_alive;
    case 'l':
        return imported_listed;
    case 'x':
        return imported_deauthenticated;
    case 'w':
        return imported_revoked;
    case 'a':
        return auth_success;
    case 'e':
        return auth_failure;
    case 'h':
        return athlete;
    case 'r':
        return user_reauth;
    case 'd':
        return deauth;
    case 'v':
        return access_revoked;
    case 'p':
        return permission_change;
    case 'c':
        return connection_error;
    default:
        return passing;
    }
}

void describe(UserObject& user, Line& line) {
    user.provider = line.next_name("OA-", "D");
    if (user.provider)
        user.provider = user.provider == "A" ? "APPLE" : user.provider == "D" ? "DASH" : "OURA";
    user.reference_id = line.next_name("ab-");
}

Event event_of(std::string_view text) {
    Line line(text);
    Event event;
    event.kind = next_kind(line);
    event.user.emplace().user_id = *line.next_name("abcdef");
    const bool is_import = event.kind >= EventKind::imported_alive;
    const bool is_correction = event.kind >= EventKind::corrected_active && !is_import;
    const bool names_user = event.kind == EventKind::user_reauth || names_other(event.kind);
    const std::optional<std::string> other = line.next_name(names_user ? "abcdef-" : "xy-");
    if (event.kind == EventKind::athlete)
        event.provider_user_id = other;
    if (event.kind == EventKind::user_reauth && other && *other != event.user->user_id)
        event.old_user.emplace().user_id = *other;
    if (names_other(event.kind) && other && *other != event.user->user_id)
        event.other_user_id = other;
    else if (names_other(event.kind))
        event.kind = EventKind::corrected_active;
    describe(*event.user, line);
    const bool stamped = line.next("@-") == '@';
    event.time = line.next_time().value_or(epoch);
    if (stamped)
        event.ordering = event.time;
    event.user->created_at = line.next_time();
    event.user->scopes = line.next_name("rw-");
    if (is_import)
        event.ordering.reset();
    if (is_correction) {
        UserObject named;
        named.user_id = event.user->user_id;
        event.user = named;
        event.ordering.reset();
    }
    if (event.old_user) {
        describe(*event.old_user, line);
        event.old_user->created_at = line.next_time();
    }
    return event;
}

using Batches = std::vector<std::vector<Event>>;

struct Input {
    AccountPolicy policy = AccountPolicy::keep;
    Batches batches;
    std::uint64_t seed = 0; ///< seed of the store's random answers, and of another order of the events
};

Input input_of(std::string_view text) {
    Input input;
    const auto next_line = [&text] {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        return line;
    };
    for (const char c : text)
        input.seed = input.seed * 31 + static_cast<unsigned char>(c);
    input.policy = Line(next_line()).next("rk") == 'r' ? AccountPolicy::replace : AccountPolicy::keep;
    input.batches.emplace_back();
    for (std::size_t left = most_events; !text.empty() && left > 0;) {
        const std::string_view line = next_line();
        if (!line.empty()) {
            input.batches.back().push_back(event_of(line));
            --left;
        } else if (!input.batches.back().empty()) {
            input.batches.emplace_back();
        }
    }
    return input;
}

/// The facts of a connection from all events at once, as docs/rules.md defines them.
class FactsOfAll {
public:
    FactsOfAll(const std::vector<Event>& events, const std::string& user_id) {
        for (const Event& event : events) {
            if (event.user->user_id == user_id)
                add_user(event);
            if (event.old_user && event.old_user->user_id == user_id) {
                add_object(*event.old_user, event);
                replaced_.push_back({event.user->user_id, event.time});
            }
            if (event.other_user_id == user_id)
                facts_.first_seen_at = std::min(facts_.first_seen_at.value_or(INT64_MAX), event.time);
        }
    }

    Facts facts() const {
        Facts facts = facts_;
        facts.replaced = winner(replaced_);
        facts.provider = winner(providers_);
        facts.reference_id = winner(references_);
        facts.scopes = winner(scopes_);
        facts.provider_user_id = winner(accounts_);
        facts.same_person_as = winner(same_persons_);
        return facts;
    }

private:
    void add_user(const Event& event) {
        using enum EventKind;
        const EventKind kind = event.kind;
        add_object(*event.user, event);
        const bool success = kind == auth_success || kind == user_reauth;
        const bool ending = kind == auth_failure || kind == deauth || kind == access_revoked ||
                            kind == corrected_ended || kind == imported_deauthenticated || kind == imported_revoked;
        facts_.live |= !ending && !names_other(kind);
        if (names_other(kind))
            same_persons_.push_back({kind == corrected_same_person ? *event.other_user_id : "", event.time});
        if (kind == corrected_active || kind == imported_alive)
            facts_.alive_at = std::max(facts_.alive_at, std::optional(event.time));
        facts_.confirmed |= success || kind >= imported_alive;
        if (success)
            facts_.alive_at = std::max(facts_.alive_at, event.ordering ? event.ordering : event.user->created_at);
        for (const auto& [of_kind, at] :
             {std::pair(deauth, &facts_.deauthenticated_at), std::pair(access_revoked, &facts_.revoked_at),
              std::pair(corrected_ended, &facts_.deauthenticated_at), std::pair(auth_failure, &facts_.failed_at),
              std::pair(imported_deauthenticated, &facts_.deauthenticated_at),
              std::pair(imported_revoked, &facts_.revoked_at), std::pair(connection_error, &facts_.degraded_at)})
            if (kind == of_kind)
                *at = std::max(*at, std::optional(event.time)); // null is less than any time
        if (event.provider_user_id)
            accounts_.push_back({*event.provider_user_id, event.time});
    }

    void add_object(const UserObject& object, const Event& event) {
        const bool passing = event.kind == EventKind::passing;
        if (object.created_at)
            facts_.created_at = std::min(facts_.created_at.value_or(INT64_MAX), *object.created_at);
        facts_.first_seen_at = std::min(facts_.first_seen_at.value_or(INT64_MAX), event.time);
        if (object.provider)
            providers_.push_back({*object.provider, event.time, passing});
        if (object.reference_id)
            references_.push_back({*object.reference_id, event.time, passing});
        if (object.scopes)
            scopes_.push_back({*object.scopes, event.time, passing});
    }

    /// Of identity events the one with the greatest (time, value); if there is none, of passing events that with the
    /// least.
    static Register winner(const std::vector<Written>& all) {
        Register greatest, least;
        for (const Written& written : all) {
            Register& best = written.passing ? least : greatest;
            const auto mine = std::tie(written.at, written.value);
            if (!best ||
                (written.passing ? mine < std::tie(best->at, best->value) : mine > std::tie(best->at, best->value)))
                best = written;
        }
        return greatest ? greatest : least;
    }

    Facts facts_;
    std::vector<Written> replaced_, providers_, references_, scopes_, accounts_, same_persons_;
};

/// The reauths of all events at once, as docs/rules.md defines them.
std::set<Reauth> reauths_of_all(const std::vector<Event>& events) {
    std::set<Reauth> reauths;
    for (const Event& event : events)
        if (event.old_user) {
            const auto &from = event.old_user->reference_id, &to = event.user->reference_id;
            reauths.insert({event.old_user->user_id, event.user->user_id, from && to && from != to});
        }
    std::erase_if(reauths, [&](const Reauth& reauth) {
        return reauth.transfer && reauths.count({reauth.old_user_id, reauth.new_user_id, false}) > 0;
    });
    return reauths;
}

/// The state as a reader knows it who sees only the feed `changes`.
class Feed {
public:
    void tell(const std::vector<Change>& changes) {
        for (const Change& change : changes) {
            if (change.kind == "connected" || change.kind == "reconnected" || change.kind == "revived")
                statuses_[change.user_id] = Status::active;
            else if (const auto status = status_of(change.kind))
                statuses_[change.user_id] = *status;
            else if (change.kind == "duplicate_opened")
                duplicates_.insert(change.user_id);
            else if (change.kind == "duplicate_closed")
                duplicates_.erase(change.user_id);
        }
    }

    std::string faults(const std::map<std::string, Connection>& stored) const {
        std::string result = statuses_.size() == stored.size() ? "" : "the feed tells of others\n";
        for (const auto& [user_id, connection] : stored) {
            const auto found = statuses_.find(user_id);
            if (found == statuses_.end() || found->second != connection.status)
                result += "the feed tells another status of " + user_id + "\n";
            if (duplicates_.contains(user_id) != connection.duplicate)
                result += "the feed tells another duplicate of " + user_id + "\n";
        }
        return result;
    }

private:
    std::map<std::string, Status> statuses_;
    std::set<std::string> duplicates_;
};

/// Checks the promise that there are no faults.
void kept(const std::string& faults, const char* what) { promise(faults.empty(), what, faults); }

void check(const Input& input) {
    const Rules rules = rules_under(input.policy);
    Rules others = rules_under(input.policy == AccountPolicy::keep ? AccountPolicy::replace : AccountPolicy::keep);
    others.unusable_providers = {"APPLE"};
    World world(rules, input.seed), news(rules, input.seed + 1), otherwise(others, input.seed + 2);
    Feed feed;
    for (const std::vector<Event>& batch : input.batches) {
        feed.tell(world.insert(batch));
        kept(world.faults(), "every batch leads to the state of the whole set");
        kept(feed.faults(world.store().stored()), "the feed tells of every transition");
        news.insert_what_is_new(batch);
        otherwise.insert(batch);
    }
    const std::map<std::string, Connection> before = world.store().stored();
    kept(difference(world.truths(), news.truths()), "what is known may be left out");

    const std::vector<Event> ledger = world.ledger();
    for (const auto& [user_id, connection] : before)
        promise(connection.facts == FactsOfAll(ledger, user_id).facts(), "facts are those of rules.md", user_id);
    promise(world.store().stored_reauths() == reauths_of_all(ledger), "reauths are those of rules.md");
    std::vector<Event> disordered = ledger;
    std::shuffle(disordered.begin(), disordered.end(), std::mt19937_64(input.seed));
    World at_once(rules, input.seed + 3);
    at_once.insert(disordered);
    kept(difference(world.truths(), at_once.truths()), "order and batches do not matter");
    kept(world.insert(disordered).empty() && world.store().stored() == before ? "" : "it changed\n",
         "what comes twice changes nothing");

    world.ledger() = ledger;
    world.spoil();
    world.rebuild();
    kept(world.store().stored() == before ? "" : world.faults() + "another state than before\n",
         "a rebuild mends what is spoilt");
    world.rebuild(others);
    kept(world.store().stored() == otherwise.store().stored() ? "" : world.faults() + "another state\n",
         "other rules give the state as if they had always been");
}

} // namespace
} // namespace terra_identity::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace terra_identity::fuzz;
    check(input_of({reinterpret_cast<const char*>(data), std::min(size, most_bytes)}));
    return 0;
}
