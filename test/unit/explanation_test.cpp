// Every scenario and many random histories are explained, for each of their connections: the explanation must say what
// the derivation gives. And single questions, by what their sentences say.
#include "history.h"
#include "memory_source.h"
#include "scenarios.h"

#include "core/entered.h"
#include "core/explanation.h"
#include "core/wording.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

namespace terra_identity::test {
namespace {

constexpr const char* dev_id = "testing";

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string told(const std::vector<Reason>& reasons) {
    std::string result;
    for (const Reason& reason : reasons)
        result += (reason.at ? utc(*reason.at) : "-") + " " + reason.kind + ": " + reason.sentence + "\n";
    return result;
}

/// What stands in double quotes, unescaped.
std::set<std::string> names_in(const std::string& sentence) {
    static const std::regex name(R"("(?:[^"\\]|\\.)*")");
    std::set<std::string> result;
    for (auto found = std::sregex_iterator(sentence.begin(), sentence.end(), name); found != std::sregex_iterator();
         ++found)
        result.insert(nlohmann::json::parse(found->str()).get<std::string>());
    return result;
}

std::set<std::string> rules_in(const std::string& sentence) {
    static const std::regex rule(R"(\(rules?: ([^)]*)\))");
    std::set<std::string> result;
    for (auto found = std::sregex_iterator(sentence.begin(), sentence.end(), rule); found != std::sregex_iterator();
         ++found) {
        std::istringstream names((*found)[1].str());
        for (std::string name; std::getline(names, name, ',');)
            result.insert(name.substr(name.find_first_not_of(' ')));
    }
    return result;
}

/// Everything that events name.
std::set<std::string> names_of(const std::vector<Event>& events) {
    std::set<std::string> result{dev_id};
    const auto add = [&](const std::optional<std::string>& name) {
        if (name)
            result.insert(*name);
    };
    for (const Event& event : events) {
        add(event.provider_user_id);
        add(event.other_user_id);
        if (event.type == correction_type || event.type == import_type)
            result.insert({corrector, correction_note});
        for (const auto& user : {event.user, event.old_user})
            if (user) {
                result.insert(user->user_id);
                add(user->reference_id);
                add(user->provider);
                add(user->scopes);
            }
    }
    return result;
}

std::size_t count(const std::vector<Reason>& reasons, const std::string& kind) {
    return static_cast<std::size_t>(
        std::count_if(reasons.begin(), reasons.end(), [&](const Reason& reason) { return reason.kind == kind; }));
}

/// Checks the explanation of one connection against the brute force.
/// @param transferred its account went to another person
void check(MemorySource& source, const std::string& user_id, const Truth& truth, bool transferred) {
    const std::vector<Reason> reasons = explain(source, dev_id, user_id);
    SCOPED_TRACE(told(reasons));
    ASSERT_FALSE(reasons.empty());
    EXPECT_EQ(count(reasons, "first_seen"), 1u);
    const std::set<std::string> known_names = names_of(source.ledger());
    const std::set<std::string> known_rules(rule_names::all.begin(), rule_names::all.end());
    for (std::size_t i = 0; i < reasons.size(); ++i) {
        const Reason& reason = reasons[i];
        const bool is_last = i + 1 == reasons.size();
        EXPECT_EQ(reason.kind == "conclusion", is_last);
        EXPECT_EQ(!reason.at, is_last);
        if (i > 0 && !is_last) {
            EXPECT_LE(reasons[i - 1].at, reason.at);
        }
        EXPECT_TRUE(reason.sentence.ends_with('.')) << reason.sentence;
        EXPECT_FALSE(contains(reason.sentence, "..")) << reason.sentence;
        EXPECT_FALSE(contains(reason.sentence, "  ")) << reason.sentence;
        EXPECT_TRUE(reason.sentence.front() == '"' || std::isupper(reason.sentence.front())) << reason.sentence;
        for (const std::string& name : names_in(reason.sentence))
            EXPECT_TRUE(known_names.contains(name)) << name;
        for (const std::string& rule : rules_in(reason.sentence))
            EXPECT_TRUE(known_rules.contains(rule)) << rule;
        if (reason.event_id) {
            const Event& event = source.ledger().at(static_cast<std::size_t>(*reason.event_id) - 1);
            EXPECT_TRUE(event.user->user_id == user_id || (event.old_user && event.old_user->user_id == user_id) ||
                        event.other_user_id == user_id);
            EXPECT_EQ(reason.at, event.time);
        } else {
            EXPECT_FALSE(contains(reason.sentence, "could not be read"));
        }
    }

    const std::string& conclusion = reasons.back().sentence;
    const Connection& connection = source.stored().at(user_id);
    EXPECT_TRUE(
        conclusion.starts_with(quote(user_id) + " of " + person(connection.reference_id()) + " is " + truth.status));
    EXPECT_TRUE(contains(conclusion, truth.resolved == user_id ? "stands for itself, " + quote(user_id) + ","
                                     : truth.resolved          ? "stands for " + quote(*truth.resolved) + " now"
                                                               : "stands for nobody"));
    if (truth.successor_user_id) {
        EXPECT_TRUE(names_in(conclusion).contains(*truth.successor_user_id));
    }
    if (truth.ended_at) {
        EXPECT_TRUE(contains(conclusion, " since " + utc(*truth.ended_at)));
    }
    EXPECT_FALSE(rules_in(conclusion).empty());
    EXPECT_EQ(count(reasons, "superseded"), truth.status == "superseded" ? 1u : 0u);
    EXPECT_EQ(count(reasons, "duplicate"), truth.duplicate ? 1u : 0u);
    EXPECT_EQ(count(reasons, "transferred"), transferred ? 1u : 0u);
    EXPECT_EQ(count(reasons, "data"), 1u);
    EXPECT_EQ(count(reasons, "connected_at"), truth.connected_at != connection.facts.connected_at() ? 1u : 0u);
    for (const Reason& reason : reasons)
        if (reason.kind == "superseded") {
            EXPECT_EQ(reason.at, truth.ended_at);
            EXPECT_TRUE(contains(reason.sentence, ": both hold the one connection")) << "names the slot";
        }
}

/// Checks the explanations of all connections.
void check_all(const Rules& rules, const std::vector<Event>& events) {
    World world(rules);
    std::set<std::string> transferred;
    for (const Change& change : world.insert(events))
        if (change.kind == "transferred")
            transferred.insert(change.user_id);
    MemorySource source(world);
    for (const auto& [user_id, truth] : world.expected()) {
        SCOPED_TRACE(user_id);
        check(source, user_id, truth, transferred.contains(user_id));
    }
}

class ExplainedScenariosTest : public testing::TestWithParam<Scenario> {};

TEST_P(ExplainedScenariosTest, UnderKeep) {
    check_all(rules_under(AccountPolicy::keep), read_all(GetParam().deliveries));
}

TEST_P(ExplainedScenariosTest, UnderReplace) {
    check_all(rules_under(AccountPolicy::replace), read_all(GetParam().deliveries));
}

INSTANTIATE_TEST_SUITE_P(All, ExplainedScenariosTest, testing::ValuesIn(all_scenarios()),
                         [](const auto& scenario) { return scenario.param.name; });

TEST(ExplanationTest, RandomHistories) {
    for (std::uint64_t seed = first_seed(), end = seed + histories(200); seed < end && !testing::Test::HasFailure();
         ++seed) {
        SCOPED_TRACE("TEST_SEED=" + std::to_string(seed));
        std::vector<Event> events;
        for (const std::vector<Delivery>& batch : random_history(seed))
            for (const Event& event : read_all(batch))
                events.push_back(event);
        check_all(rules_under(seed % 2 == 0 ? AccountPolicy::keep : AccountPolicy::replace), events);
    }
}

TEST(ExplanationTest, RulesAreNamedAsInTheirPage) {
    std::ifstream page(TEST_DATA_DIR "/../../docs/rules.md");
    const std::string rules{std::istreambuf_iterator<char>(page), std::istreambuf_iterator<char>()};
    ASSERT_TRUE(contains(rules, "# The rules"));
    std::string plain;
    std::remove_copy(rules.begin(), rules.end(), std::back_inserter(plain), '`');
    for (const std::string_view name : rule_names::all) {
        const std::string rule(name);
        EXPECT_TRUE(contains(plain, "**" + rule) || contains(plain, "*" + rule + "*") ||
                    contains(plain, "## " + rule + "\n"))
            << rule;
    }
}

/// The explanation of a connection as text, after these deliveries.
std::string explained(const std::string& user_id, const std::vector<Delivery>& deliveries,
                      AccountPolicy policy = AccountPolicy::keep, bool hides_events = false) {
    World world(rules_under(policy));
    world.insert(read_all(deliveries));
    MemorySource source(world);
    source.hides_events = hides_events;
    return told(explain(source, dev_id, user_id));
}

std::string line_of(const std::string& text, const std::string& kind) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);)
        if (contains(line, " " + kind + ": "))
            return line;
    return "";
}

TEST(ExplanationTest, WhichSlotSuperseded) {
    const std::vector<Delivery> two_people{auth("a").at(1), athlete("a", "x").at(2),
                                           auth("b").reference("bert").at(3).created(3),
                                           athlete("b", "x").reference("bert").at(4)};
    EXPECT_TRUE(contains(line_of(explained("a", two_people, AccountPolicy::replace), "superseded"),
                         "because the account policy is replace"));
    EXPECT_TRUE(
        contains(line_of(explained("b", two_people, AccountPolicy::replace), "took_over"), "\"a\" of end user"));
    EXPECT_EQ(line_of(explained("a", two_people), "superseded"), "");
    EXPECT_TRUE(contains(line_of(explained("a", two_people), "duplicate"), "\"b\" of end user \"bert\""));
    EXPECT_TRUE(contains(line_of(explained("a", two_people), "dashboard"), "shows \"b\" of end user \"bert\""));
    EXPECT_TRUE(contains(line_of(explained("b", two_people), "dashboard"), "shows \"b\""));
    const std::vector<Delivery> one_person{auth("a").at(1), athlete("a", "x").at(2), auth("b").at(3),
                                           athlete("b", "x").at(4)};
    EXPECT_TRUE(contains(line_of(explained("a", one_person), "superseded"),
                         "the one connection to OURA account \"x\" that end user \"anna\" can have"));
    const std::vector<Delivery> two_phones{auth("a").provider("APPLE").at(1), auth("b").provider("APPLE").at(3)};
    EXPECT_TRUE(contains(line_of(explained("a", two_phones), "superseded"), "connected on the person's device"));
}

TEST(ExplanationTest, EndsThatDoNotCount) {
    const std::string revived = explained("a", {auth("a").at(1), deauth("a").at(5), auth("a").at(9)});
    EXPECT_TRUE(contains(line_of(revived, "deauth"), "It does not count, because \"a\" proved to be alive later"));
    EXPECT_TRUE(contains(revived, "was alive at " + utc(second(9)) + ", later than everything that ended it"));
    const std::string late = explained("a", {auth("a").at(1), deauth("a").at(5), auth("a").received(8).created(1)});
    EXPECT_TRUE(contains(late, "happened at " + utc(second(1)) + ", so it is no proof of life after the end"));
    const std::string without = explained("a", {auth("a").received(1), deauth("a").received(5), auth("a").received(9)});
    EXPECT_TRUE(contains(without, "neither an ordering timestamp nor a created_at"));
}

TEST(ExplanationTest, ATransferIsOneOfItsDirection) {
    const auto between = [](const std::string& old_user_id, const std::string& new_user_id, const std::string& from,
                            const std::string& to) {
        Delivery delivery = reauth(old_user_id, new_user_id).reference(from);
        delivery.payload["new_user"]["reference_id"] = to;
        return delivery;
    };
    const std::string text = explained("b", {between("a", "b", "anna", "bert").at(1),
                                             between("b", "a", "bert", "anna").at(2), reauth("b", "a").at(3)});
    EXPECT_TRUE(contains(text, "It names two people, end user \"anna\" before and end user \"bert\" now, so it puts"))
        << text;
    EXPECT_TRUE(contains(text, "It names two people, end user \"bert\" before and end user \"anna\" now, but another"))
        << text;
}

TEST(ExplanationTest, RepetitionsShareARow) {
    std::vector<Delivery> deliveries{auth("a").at(1)};
    for (int i = 2; i < 100; ++i)
        deliveries.push_back(athlete("a", "x").at(i));
    deliveries.push_back(athlete("a", "y").at(100));
    for (int i = 101; i < 200; ++i)
        deliveries.push_back(athlete("a", "y").at(i));
    World world(rules_under(AccountPolicy::keep));
    world.insert(read_all(deliveries));
    MemorySource source(world);
    const std::vector<Reason> reasons = explain(source, dev_id, "a");
    EXPECT_EQ(count(reasons, "athlete"), 3u) << told(reasons);
    EXPECT_TRUE(contains(told(reasons), "Until " + utc(second(199)) + " 196 more athlete events say")) << told(reasons);
    EXPECT_TRUE(contains(told(reasons), "OURA account \"y\"; it was OURA account \"x\"")) << told(reasons);
}

TEST(ExplanationTest, FactsAreToldWhenTheirEventsAreHidden) {
    const std::vector<Delivery> deliveries{
        auth("a").at(1),           athlete("a", "x").at(2), connection_error("a").at(3), deauth("a").at(4),
        access_revoked("a").at(5), auth_error("a").at(6),   reauth("a", "b").at(7)};
    const std::string seen = explained("a", deliveries), hidden = explained("a", deliveries, AccountPolicy::keep, true);
    EXPECT_FALSE(contains(seen, "could not be read"));
    for (const char* kind : {"athlete", "connection_error", "deauth", "access_revoked", "auth", "user_reauth"})
        EXPECT_TRUE(contains(line_of(hidden, kind), "could not be read")) << kind << "\n" << hidden;
    EXPECT_EQ(line_of(seen, "conclusion"), line_of(hidden, "conclusion"));
    const std::vector<Delivery> revived{auth("a").at(1), deauth("a").at(5), auth("a").at(9)};
    EXPECT_TRUE(contains(line_of(explained("a", revived, AccountPolicy::keep, true), "revived"),
                         "proved to be alive at " + utc(second(9)) + ", later than everything that ended it"));
}

TEST(ExplanationTest, AReauthThatIsLeftOut) {
    std::vector<Delivery> deliveries{auth("a").at(1)};
    for (int i = 1; i <= 100; ++i)
        deliveries.push_back(reauth("a", "b" + std::to_string(i)).at(1 + i));
    deliveries.push_back(reauth("a", "z").at(200));
    deliveries.back().payload["new_user"]["reference_id"] = "bert";
    const std::string text = explained("a", deliveries);
    EXPECT_TRUE(contains(text, "It names two people, end user \"anna\" before and end user \"bert\" now.")) << text;
}

TEST(ExplanationTest, ACrowdIsCounted) {
    std::vector<Delivery> deliveries;
    for (int i = 0; i < 1010; ++i)
        deliveries.push_back(athlete("a" + std::to_string(i), "x").reference("person" + std::to_string(i)).at(1 + i));
    EXPECT_TRUE(contains(line_of(explained("a5", deliveries), "duplicate"), "at least 979 more"))
        << explained("a5", deliveries);
}

TEST(ExplanationTest, AnIdThatWasNeverSeen) {
    World world(rules_under(AccountPolicy::keep));
    world.insert(read_all({auth("abc").at(1)}));
    MemorySource source(world);
    const auto sentence = [&](const std::string& user_id) {
        const std::vector<Reason> reasons = explain(source, dev_id, user_id);
        EXPECT_EQ(reasons.size(), 1u);
        EXPECT_EQ(reasons[0].kind, "conclusion");
        EXPECT_FALSE(reasons[0].at || reasons[0].event_id);
        EXPECT_TRUE(reasons[0].sentence.starts_with("No webhook that names " + quote(user_id) +
                                                    " has come to environment \"testing\"."));
        return reasons[0].sentence;
    };
    EXPECT_TRUE(contains(sentence("nobody"), "It may belong to another environment of Terra"));
    EXPECT_TRUE(contains(sentence("ABC"), "known is \"abc\"."));
    EXPECT_TRUE(contains(sentence(" abc "), "known is \"abc\"."));
    EXPECT_TRUE(contains(sentence("anna"), "It is an end user's reference_id"));
    source.problem = true;
    EXPECT_TRUE(contains(sentence("nobody"), "with a problem"));
    source.environments = {"elsewhere"};
    EXPECT_TRUE(contains(sentence("nobody"), "It is known in environment \"elsewhere\""));
    sentence("");
}

} // namespace
} // namespace terra_identity::test
