// What forget() leaves of a person: the least payloads, which contribute what the whole ones did; names in the place of
// ids, under which the state of everybody else is the same; and in which texts and bodies an id is found.
#include "harness.h"
#include "history.h"
#include "scenarios.h"

#include "core/minimal_payload.h"
#include "core/named_ids.h"
#include "core/renaming.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace terra_identity::test {
namespace {

using nlohmann::json;

json json_of(const JsonTree& tree) { return json::parse(tree.dump()); }

/// The event that is read from what is left of another one.
Event read_again(const Event& event, const Delivery& delivery) {
    return read({.payload = json_of(minimal_payload(event)),
                 .headers = json_of(minimal_headers(event)),
                 .received_at = delivery.received_at,
                 .is_entered = delivery.is_entered});
}

/// Two contributions are compared by all that can be seen of them.
void expect_equal(const Event& left, const Event& whole) {
    EXPECT_EQ(left.kind, whole.kind);
    EXPECT_EQ(left.type, whole.type);
    EXPECT_EQ(left.time, whole.time);
    EXPECT_EQ(left.problem, "");
    const auto one = contributions_of(left), other = contributions_of(whole);
    ASSERT_EQ(one.size(), other.size());
    for (std::size_t i = 0; i < one.size(); ++i) {
        EXPECT_EQ(one[i].user_id, other[i].user_id);
        EXPECT_EQ(one[i].facts, other[i].facts);
    }
    EXPECT_EQ(reauth_of(left), reauth_of(whole));
}

TEST(MinimalPayloadTest, ContributesWhatTheWholeOneDoes) {
    std::vector<Delivery> deliveries;
    for (const Scenario& scenario : all_scenarios())
        deliveries.insert(deliveries.end(), scenario.deliveries.begin(), scenario.deliveries.end());
    for (std::uint64_t seed = first_seed(), n = 0; n < histories(200); ++n, ++seed)
        for (const auto& batch : random_history(seed))
            deliveries.insert(deliveries.end(), batch.begin(), batch.end());
    std::size_t compared = 0;
    for (const Delivery& delivery : deliveries) {
        const Event event = read(delivery);
        if (event.kind == EventKind::nothing)
            continue;
        ++compared;
        SCOPED_TRACE(delivery.payload.dump());
        expect_equal(read_again(event, delivery), event);
    }
    EXPECT_GT(compared, 1000U);
}

TEST(MinimalPayloadTest, HasNothingElse) {
    Delivery delivery = athlete("a", "x").at(5);
    delivery.payload["athlete"]["email"] = "anna@example.org";
    delivery.payload["athlete"]["first_name"] = "Anna";
    delivery.payload["data"] = json::array({{{"steps", 5}}});
    delivery.headers["X-Terra-Trace-Id"] = "t";
    const Event event = read(delivery);
    EXPECT_EQ(json_of(minimal_payload(event)), json::parse(R"({"type": "athlete", "athlete": {"provider_user_id": "x"},
        "user": {"user_id": "a", "provider": "OURA", "reference_id": "anna"}})"));
    EXPECT_EQ(json_of(minimal_headers(event)),
              json({{"X-Terra-Ordering-Timestamp", std::to_string(second(5) / 1000)}}));
    EXPECT_TRUE(minimal_headers(read(body("a").received(5))).is_null());
}

/// A person's ids, and names for them.
Renaming names_of_anna() {
    Renaming names;
    names.user_ids = {{"a", "!forgotten:1"}, {"a2", "!forgotten:2"}};
    names.reference_ids = {{"anna", "!forgotten:3"}};
    names.accounts = {{"hers", "!forgotten:4"}};
    return names;
}

/// The state that follows from events, with other names where `names` has them. Which user_id stands for a lineage
/// depends on the names, so the lineage is told by its members.
std::map<std::string, std::string> told(const std::vector<Event>& events, const Rules& rules, const Renaming& names) {
    const Truths truths = brute_force(events, rules);
    const auto name = [&](const std::string& user_id) {
        const auto found = names.user_ids.find(user_id);
        return found == names.user_ids.end() ? user_id : found->second;
    };
    std::map<std::string, std::set<std::string>> members;
    for (const auto& [user_id, truth] : truths)
        members[truth.lineage].insert(name(user_id));
    std::map<std::string, std::string> result;
    for (const auto& [user_id, truth] : truths) {
        std::string& text = result[name(user_id)];
        text = truth.status + (truth.duplicate ? " duplicate" : "") + (truth.cyclic ? " cyclic" : "") + " since " +
               std::to_string(truth.connected_at) + " until " + std::to_string(truth.ended_at.value_or(0)) + " by " +
               name(truth.successor_user_id.value_or("")) + " on " + truth.provider_user_id.value_or("") +
               " resolves to " + name(truth.resolved.value_or("")) + " with";
        for (const std::string& member : members[truth.lineage])
            text += " " + member;
    }
    return result;
}

/// Whether user_ids decide which of two connections is the newer one.
bool has_ties(const std::vector<Event>& events, const Rules& rules) {
    std::set<Micros> times;
    for (const auto& [user_id, truth] : brute_force(events, rules))
        if (truth.cyclic || !times.insert(truth.connected_at).second)
            return true;
    return false;
}

TEST(RenamingTest, LeavesTheStateOfOthersAsItIs) {
    std::size_t compared = 0;
    for (std::uint64_t seed = first_seed(), n = 0; n < histories(300); ++n, ++seed) {
        std::vector<Event> events;
        int time = 0;
        for (const auto& batch : random_history(seed))
            for (const Delivery& delivery : batch)
                if (const Event event = read(delivery.is_entered ? delivery.received(++time) : delivery.at(++time));
                    event.kind != EventKind::nothing)
                    events.push_back(event);
        for (const AccountPolicy policy : {AccountPolicy::keep, AccountPolicy::replace}) {
            const Rules rules = rules_under(policy);
            if (has_ties(events, rules))
                continue;
            for (const Fold fold = fold_of(events); const Node& one : fold.nodes) {
                Renaming names; // of the person whose connection this is
                const auto reference_id = one.now.reference_id();
                if (!reference_id)
                    continue;
                names.reference_ids = {{*reference_id, "!forgotten:person"}};
                for (const Node& other : fold.nodes)
                    if (other.now.reference_id() == reference_id)
                        names.user_ids.emplace(other.now.user_id, "!forgotten:" + other.now.user_id);
                std::vector<Event> renamed;
                for (const Event& event : events)
                    renamed.push_back(names.renamed(event, true));
                EXPECT_EQ(told(renamed, rules, {}), told(events, rules, names)) << "seed " << seed;
                ++compared;
            }
        }
    }
    EXPECT_GT(compared, 100U);
}

TEST(RenamingTest, RenamesEveryIdOfAnEventAndOfAConnection) {
    const Renaming names = names_of_anna();
    Event event = names.renamed(read(reauth("a", "a2").at(1)), true);
    EXPECT_EQ(event.old_user->user_id, "!forgotten:1");
    EXPECT_EQ(event.user->user_id, "!forgotten:2");
    EXPECT_EQ(event.old_user->reference_id, "!forgotten:3");
    EXPECT_EQ(event.user->reference_id, "!forgotten:3");
    EXPECT_EQ(names.renamed(read(athlete("a", "hers").at(1)), true).provider_user_id, "!forgotten:4");
    EXPECT_EQ(names.renamed(read(athlete("b", "hers").at(1)), false).provider_user_id, "hers");
    event = names.renamed(read(correction("b", "same_person_as", "a")), false);
    EXPECT_EQ(event.user->user_id, "b");
    EXPECT_EQ(event.other_user_id, "!forgotten:1");

    Connection connection;
    connection.user_id = "b";
    connection.successor_user_id = "a";
    connection.facts.replaced = Written{"a2", 1};
    connection.facts.same_person_as = Written{"a", 1};
    connection.facts.reference_id = Written{"bert", 1};
    connection.provider_user_id = "hers";
    connection = names.renamed(connection, false);
    EXPECT_EQ(connection.user_id, "b");
    EXPECT_EQ(connection.successor_user_id, "!forgotten:1");
    EXPECT_EQ(connection.facts.replaced->value, "!forgotten:2");
    EXPECT_EQ(connection.facts.same_person_as->value, "!forgotten:1");
    EXPECT_EQ(connection.reference_id(), "bert");
    EXPECT_EQ(connection.provider_user_id, "hers");
}

TEST(RenamingTest, RenamesIdsInTheDetailOfAChangeByTheirPlace) {
    JsonTree detail = JsonTree::parse(R"({"successor_user_id": "a", "previous_status": "anna", "rule": "a",
        "previous_reference_id": "anna", "provider_user_id": "a", "candidates": ["a2", "b"],
        "connections": [{"user_id": "a", "reference_id": "anna"}, {"user_id": "anna", "reference_id": "a"}]})");
    EXPECT_TRUE(names_of_anna().rename(detail));
    EXPECT_EQ(json_of(detail),
              json::parse(R"({"successor_user_id": "!forgotten:1", "previous_status": "anna", "rule": "a",
        "previous_reference_id": "!forgotten:3", "provider_user_id": "a", "candidates": ["!forgotten:2", "b"],
        "connections": [{"user_id": "!forgotten:1", "reference_id": "!forgotten:3"},
                        {"user_id": "anna", "reference_id": "a"}]})"));
    EXPECT_FALSE(names_of_anna().rename(detail));
}

TEST(RenamingTest, ADetailThatIsNoObjectHasNoIds) {
    Renaming names;
    names.user_ids.emplace("a", "!a");
    JsonTree detail = JsonTree::parse(R"(["a"])");
    EXPECT_FALSE(names.rename(detail));
    EXPECT_EQ(detail.dump(), R"(["a"])");
}

TEST(RenamingTest, ScrubsIdsThatStandAlone) {
    EXPECT_EQ(names_of_anna().scrubbed("anna, joanna and anna-2 (a): \"a2\"=a2"),
              "!forgotten:3, joanna and anna-2 (!forgotten:1): \"!forgotten:2\"=!forgotten:2");
}

TEST(MentionsTest, FindsAnIdWhereverItIsWritten) {
    for (const char* body : {R"({"user": {"user_id": "b3f1-77")", R"({"x": ["b3f1-77"]})", "user=b3f1-77&type=auth",
                             R"("b3f\u0031-77")", R"("\u0062\u0033f1\u002D77)", "b3f1-77", "<id>b3f1-77</id>"})
        EXPECT_TRUE(mentions(body, "b3f1-77")) << body;
    for (const char* body : {R"({"user_id": "b3f1-777"})", "ab3f1-77", "b3f1-77@example.org", "", "b3f1\\u-77"})
        EXPECT_FALSE(mentions(body, "b3f1-77")) << body;
    EXPECT_TRUE(mentions(R"({"reference_id": "\u00e9\ud83d\ude00 1"})", "\u00e9\U0001F600 1"));
    EXPECT_TRUE(mentions(R"({"reference_id": "o'\"\\/1"})", "o'\"\\/1"));
}

TEST(MentionsTest, AnEscapeMayBeAnyCharacterOrNone) {
    EXPECT_TRUE(mentions(R"({"user_id": "\u4e2d\u6587-1"})", "\u4E2D\u6587-1"));
    EXPECT_TRUE(mentions(R"({"user_id": "\ud83d\ude00-1"})", "\U0001F600-1"));
    EXPECT_TRUE(mentions(R"({"note": "\uzzzz", "user_id": "\u00fc-1"})", "\u00FC-1"));
    EXPECT_FALSE(mentions(R"({"user_id": "\u00f"})", "\u00FC-1"));
}

TEST(MentionsTest, AWordOrANumberIsAnIdOnlyWhereIdsStand) {
    for (const char* body :
         {R"({"reference_id": 1})", R"({"reference_id":"1"})", "reference_id=1&x", R"({"user_id" : '1')"})
        EXPECT_TRUE(mentions(body, "1")) << body;
    for (const char* body : {R"({"steps": 1})", R"({"type": "activity"})", "1", R"({"reference_id": 12})"}) {
        EXPECT_FALSE(mentions(body, "1")) << body;
        EXPECT_FALSE(mentions(body, "activity")) << body;
    }
}

TEST(NamesOfForgottenTest, AreKnown) {
    EXPECT_TRUE(is_name_of_forgotten("!forgotten:0123456789abcdef0123456789abcdef"));
    for (const char* id : {"", "anna", "!forgotten:", "!forgotten:0123456789ABCDEF0123456789abcdef",
                           "!forgotten:0123456789abcdef0123456789abcde", "forgotten:0123456789abcdef0123456789abcdef"})
        EXPECT_FALSE(is_name_of_forgotten(id)) << id;
}

TEST(NamedIdsTest, AreFoundInEveryRoleWhateverTheProblem) {
    const auto named = [](const char* payload) {
        const json parsed = json::parse(payload);
        const NamedIds ids = named_ids(NlohmannView(parsed));
        std::string text;
        for (const std::string& id : ids.user_ids)
            text += id + " ";
        text += "|";
        for (const std::string& id : ids.reference_ids)
            text += " " + id;
        return text;
    };
    EXPECT_EQ(named(R"({"user": {"user_id": " a ", "reference_id": 7}, "reference_id": "r"})"), "a | r 7");
    EXPECT_EQ(named(R"({"type": 5, "old_user": {"user_id": "a"}, "new_user": {"user_id": "b", "reference_id": ""},
                        "user": "no object"})"),
              "a b |");
    EXPECT_EQ(named(R"({"correction": {"other_user_id": "c"}, "user_id": "d"})"), "d c |");
    EXPECT_EQ(named("[]"), "|");
    EXPECT_EQ(named(R"({"user": {"user_id": null, "reference_id": {}}})"), "|");
}

TEST(NamedIdsTest, AreFoundAnywhereInWhatIsNoEventOfAUser) {
    const auto within = [](const std::string& payload) {
        const json parsed = json::parse(payload);
        NamedIds ids;
        add_ids_within(NlohmannView(parsed), ids);
        return std::pair(ids.user_ids, ids.reference_ids);
    };
    using Ids = std::vector<std::string>;
    EXPECT_EQ(within(R"([{"user": {"user_id": "a", "reference_id": 7}}, {"x": [{"old_user_id": " b "}]}, "c"])"),
              std::pair(Ids({"a", "b"}), Ids({"7"})));
    EXPECT_EQ(within(R"({"provider_user_id": "a", "id": "b"})"), std::pair(Ids(), Ids()));
    EXPECT_EQ(within(R"("user_id")"), std::pair(Ids(), Ids()));
    std::string deep = R"({"user_id": "a"})";
    for (int depth = 0; depth < 1000; ++depth)
        deep = "[" + deep + "]";
    EXPECT_EQ(within(deep), std::pair(Ids(), Ids()));
    json many = json::array();
    for (int n = 0; n < 3000; ++n)
        many.push_back({{"user_id", std::to_string(n)}});
    EXPECT_EQ(within(many.dump()).first.size(), 1000U);
}

} // namespace
} // namespace terra_identity::test
