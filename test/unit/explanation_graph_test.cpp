// The picture of a lineage: what it must show of every scenario, that nothing hostile in an id reaches Mermaid or HTML,
// and that it stays as small as what GitHub draws.
#include "history.h"
#include "memory_source.h"
#include "scenarios.h"

#include "core/explanation_graph.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <regex>
#include <set>
#include <sstream>

namespace terra_identity::test {
namespace {

std::vector<std::string> matches(const std::string& text, const std::string& pattern) {
    const std::regex regex(pattern);
    std::vector<std::string> result;
    for (auto found = std::sregex_iterator(text.begin(), text.end(), regex); found != std::sregex_iterator(); ++found)
        result.push_back((*found)[1].str());
    return result;
}

/// Checks that every line is one that this picture can have, and that its labels hold nothing but plain characters and
/// character numbers.
void check_lines(const std::string& graph) {
    const std::string label = R"("(?:[A-Za-z0-9 .,:-]|[\x80-\xFF]|#[0-9]+;|<br/>)*")";
    const std::regex line("flowchart LR|    subgraph p\\d+\\[" + label + "\\]|        n\\d+\\[" + label +
                          "\\]|    end|" + "    (?:n1|older|others)\\[" + label + "\\]|    a\\d+\\(\\[" + label +
                          "\\]\\)|    n\\d+ --- a\\d+|" + "    n\\d+ (?:-->|-\\.->|---)\\|" + label +
                          "\\| n\\d+|    classDef [a-z]+ [a-z0-9#:, -]+|" +
                          "    class n\\d+(?:,n\\d+)* (?:active|asked)");
    std::istringstream lines(graph);
    for (std::string one; std::getline(lines, one);)
        EXPECT_TRUE(std::regex_match(one, line)) << one;
    EXPECT_LE(graph.size(), 50'000u);
    EXPECT_LE(matches(graph, "( ---|-->|-\\.->)").size(), 500u);
}

class GraphOfScenariosTest : public testing::TestWithParam<Scenario> {};

void check_all(const Rules& rules, const std::vector<Event>& events) {
    World world(rules);
    world.insert(events);
    MemorySource source(world);
    for (const auto& [user_id, connection] : source.stored()) {
        const std::string graph = explanation_graph(source, "testing", user_id);
        SCOPED_TRACE(user_id + "\n" + graph);
        check_lines(graph);
        std::map<std::string, std::string> names; // in the picture, by user_id; those of scenarios are plain
        for (const std::string& node : matches(graph, R"(        (n\d+\["#34;\w+#34;))")) {
            const std::size_t bracket = node.find('[');
            names[matches(node, "#34;(\\w+)#34;").at(0)] = node.substr(0, bracket);
        }
        EXPECT_EQ(names.at(user_id), "n1");
        const std::vector<std::string> classes = matches(graph, "class (\\S*) active\n");
        const std::vector<std::string> active = matches(classes.empty() ? "" : classes.front(), "(n\\d+)");
        for (const auto& [other_id, other] : source.stored()) {
            if (other.lineage_id == connection.lineage_id) {
                EXPECT_TRUE(names.contains(other_id)) << other_id;
            }
            if (connection.account() && other.status == Status::active && other.account() == connection.account()) {
                EXPECT_TRUE(names.contains(other_id)) << other_id;
            }
            if (!names.contains(other_id))
                continue;
            EXPECT_EQ(std::count(active.begin(), active.end(), names[other_id]),
                      other.status == Status::active ? 1 : 0);
            if (other.status == Status::superseded && names.contains(*other.successor_user_id)) {
                EXPECT_EQ(matches(graph, "(" + names[other_id] + " -\\.->\\|[^|]*\\| " +
                                             names[*other.successor_user_id] + ")\n")
                              .size(),
                          1u);
            }
            const std::string* const same = other.facts.same_person();
            if (same != nullptr && names.contains(*same)) {
                EXPECT_EQ(matches(graph, "(" + names[other_id] + " ---\\|[^|]*\\| " + names[*same] + ")\n").size(),
                          may_be_same_person(other, source.stored().at(*same)) ? 1u : 0u);
            }
        }
        for (const Reauth& reauth : world.store().stored_reauths())
            if (names.contains(reauth.old_user_id) && names.contains(reauth.new_user_id)) {
                EXPECT_EQ(matches(graph, "(" + names[reauth.old_user_id] + " -->\\|[^|]*\\| " +
                                             names[reauth.new_user_id] + ")\n")
                              .size(),
                          1u);
            }
    }
}

TEST_P(GraphOfScenariosTest, UnderKeep) {
    check_all(rules_under(AccountPolicy::keep), read_all(GetParam().deliveries));
}

TEST_P(GraphOfScenariosTest, UnderReplace) {
    check_all(rules_under(AccountPolicy::replace), read_all(GetParam().deliveries));
}

INSTANTIATE_TEST_SUITE_P(All, GraphOfScenariosTest, testing::ValuesIn(all_scenarios()),
                         [](const auto& scenario) { return scenario.param.name; });

TEST(ExplanationGraphTest, PeopleAreBoxes) {
    World world(rules_under(AccountPolicy::keep));
    world.insert(read_all({auth("a").at(1), athlete("a", "x").at(2), auth("b").reference("bert").at(3),
                           athlete("b", "x").reference("bert").at(4), auth("c").reference("").at(5),
                           athlete("c", "x").reference("").at(6)}));
    MemorySource source(world);
    const std::string graph = explanation_graph(source, "testing", "a");
    check_lines(graph);
    for (const char* box : {"[\"end user #34;anna#34;\"]", "[\"end user #34;bert#34;\"]", "[\"unknown end user\"]"})
        EXPECT_NE(graph.find(box), std::string::npos) << box << "\n" << graph;
    EXPECT_EQ(matches(graph, "(n\\d+ --- a1)\n").size(), 3u) << graph;
}

TEST(ExplanationGraphTest, HostileIds) {
    const std::vector<std::string> hostile{"<script>alert(1)</script>",
                                           "\"]; click n1 \"javascript:x\"",
                                           "a`b`c",
                                           "%%{init}%%",
                                           "two\nlines",
                                           "\u202Egnp",
                                           "a#34;b",
                                           std::string(512, 'x'),
                                           std::string(512, '"'),
                                           "end",
                                           "| --> |",
                                           "1. list",
                                           "\u4E2D\u6587"};
    std::vector<Delivery> deliveries;
    int time = 1;
    for (const std::string& id : hostile) {
        deliveries.push_back(auth(id).reference(id).at(time));
        deliveries.push_back(athlete(id, "x").reference(id).at(time++));
        deliveries.push_back(athlete(id + "2", id).reference(id).at(time++));
    }
    World world(rules_under(AccountPolicy::keep));
    world.insert(read_all(deliveries));
    MemorySource source(world);
    for (const auto& [user_id, connection] : source.stored())
        check_lines(explanation_graph(source, "testing", user_id));
    check_lines(explanation_graph(source, hostile[1], hostile[0] + "?"));
    check_lines(explanation_graph(source, "testing", ""));
}

TEST(ExplanationGraphTest, ALongIdIsCutBetweenCharacters) {
    for (const std::size_t before : {0U, 1U, 2U, 3U}) {
        std::string id(before, 'x');
        while (id.size() < 400)
            id += "\u4E2D";
        World world(rules_under(AccountPolicy::keep));
        world.insert(read_all({auth(id).at(1)}));
        MemorySource source(world);
        const std::string graph = explanation_graph(source, "testing", id);
        check_lines(graph);
        EXPECT_NO_THROW(nlohmann::json(graph).dump()) << "no UTF-8"; // which throws if it is none
        EXPECT_NE(graph.find("..."), std::string::npos);
    }
}

TEST(ExplanationGraphTest, StaysSmall) {
    for (const char* id : {"x", "\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\""}) {
        std::vector<Delivery> deliveries;
        for (int i = 0; i < 2000; ++i)
            deliveries.push_back(reauth(id + std::to_string(i), id + std::to_string(i + 1)).at(i + 1));
        for (int i = 0; i < 300; ++i)
            deliveries.push_back(
                athlete(id + std::to_string(3000 + i), "x").reference("p" + std::to_string(i)).at(3000 + i));
        deliveries.push_back(athlete(id + std::to_string(2000), "x").at(2500));
        World world(rules_under(AccountPolicy::keep));
        world.insert(read_all(deliveries));
        MemorySource source(world);
        const std::string graph = explanation_graph(source, "testing", std::string(id) + "2000");
        check_lines(graph);
        EXPECT_EQ(matches(graph, "(or more older connections of the lineage are left out)").size(), 1u) << graph;
        EXPECT_EQ(matches(graph, "(older connections on the account are left out)").size(), 1u) << graph;
        EXPECT_GE(matches(graph, "(n\\d+\\[)").size(), 50u);
    }
}

TEST(ExplanationGraphTest, AReauthThatIsLeftOut) {
    std::vector<Delivery> deliveries{auth("a").at(1)};
    for (int i = 1; i <= 100; ++i)
        deliveries.push_back(reauth("a", "b" + std::to_string(i)).at(1 + i));
    deliveries.push_back(reauth("a", "z").at(200));
    World world(rules_under(AccountPolicy::keep));
    world.insert(read_all(deliveries));
    MemorySource source(world);
    EXPECT_EQ(matches(explanation_graph(source, "testing", "a"), "-->\\|\"replaced\"\\|").size(), 101u);
}

TEST(ExplanationGraphTest, AnIdThatWasNeverSeen) {
    World world(rules_under(AccountPolicy::keep));
    MemorySource source(world);
    EXPECT_EQ(explanation_graph(source, "testing", "a"),
              "flowchart LR\n    n1[\"No webhook that names #34;a#34; has come to environment #34;testing#34;\"]\n");
}

} // namespace
} // namespace terra_identity::test
