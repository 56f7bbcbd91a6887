// verify() finds everything: whatever is spoiled in a stored connection is a difference in the column that holds it.
#include "core/differences.h"

#include "core/connection_columns.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>

namespace terra_identity::test {
namespace {

void spoil(std::int64_t& number) { ++number; }
void spoil(bool& flag) { flag = !flag; }
void spoil(std::string& text) { text += "x"; }
void spoil(Status& status) { status = status == Status::active ? Status::failed : Status::active; }

template <class T>
void spoil(std::optional<T>& value) {
    if (value)
        value.reset();
    else
        value.emplace();
}

struct Spoiling {
    std::string column;
    std::function<void(Connection&)> spoil;
};

/// A way to spoil each column that is compared, and for registers each part of it.
std::vector<Spoiling> spoilings() {
    std::vector<Spoiling> result;
    const auto add_member = [&](const char* name, auto member) {
        result.push_back({name, [member](Connection& connection) { spoil(connection.*member); }});
    };
    const auto add_fact = [&](const char* name, auto fact) {
        result.push_back({name, [fact](Connection& connection) { spoil(connection.facts.*fact); }});
    };
    const auto add_part = [&](const char* name, Register Facts::*fact, auto part) {
        result.push_back({name, [fact, part](Connection& connection) {
                              Register& written = connection.facts.*fact;
                              spoil((written ? *written : written.emplace()).*part);
                          }});
    };
    for_each_connection_column(ByKind{
        [&](const column::Id& id, int) { add_member(id.name, id.member); },
        [&]<class T>(const column::Derived<T>& derived, int) { add_member(derived.name, derived.member); },
        [&](const column::Least& least, int) { add_fact(least.name, least.fact); },
        [&](const column::Greatest& greatest, int) { add_fact(greatest.name, greatest.fact); },
        [&](const column::Any& any, int) { add_fact(any.name, any.fact); },
        [&](const column::Value& value, int) {
            add_fact(value.name, value.fact);
            add_part(value.name, value.fact, &Written::value);
            add_part(value.name, value.fact, &Written::at);
            add_part(value.name, value.fact, &Written::passing);
        },
        [](const auto&, int) {},
    });
    result.push_back(
        {"dated, user_uuid and the times of values", [](Connection& stored) { stored.consistent = false; }});
    return result;
}

/// A connection whose stored and derived state are the same, with a value in two registers.
Derived agreement() {
    Derived derived;
    Node& node = *derived.nodes.add("a").first;
    node.now.facts.reference_id = Written{"anna", 5, false};
    node.now.facts.provider = Written{"OURA", 5, true};
    node.stored = std::make_unique<Connection>(node.now);
    return derived;
}

TEST(DifferencesTest, WhatAgreesHasNone) { EXPECT_TRUE(differences_of(agreement()).empty()); }

TEST(DifferencesTest, EveryColumnIsCompared) {
    const std::vector<Spoiling> all = spoilings();
    ASSERT_GT(all.size(),
              connection_column_count -
                  12); // the parts of registers, dev_id, dated and user_uuid have none of their own
    for (const Spoiling& spoiling : all) {
        Derived derived = agreement();
        spoiling.spoil(*derived.nodes.at("a").stored);
        const std::vector<Difference> differences = differences_of(derived);
        ASSERT_EQ(differences.size(), 1u) << spoiling.column;
        EXPECT_EQ(differences[0].user_id, "a");
        EXPECT_EQ(differences[0].column, spoiling.column);
        EXPECT_NE(differences[0].stored, differences[0].derived) << spoiling.column;
    }
}

TEST(DifferencesTest, EveryFactIsMergedAndAbsorbed) {
    for_each_connection_column(ByKind{
        [](const column::Least& least, int) {
            Facts facts, news;
            news.*least.fact = 5;
            EXPECT_FALSE(facts.absorbs(news)) << least.name;
            facts.merge(news);
            EXPECT_TRUE(facts.absorbs(news)) << least.name;
            EXPECT_EQ(facts, news) << least.name;
        },
        [](const column::Greatest& greatest, int) {
            Facts facts, news;
            facts.*greatest.fact = 4;
            news.*greatest.fact = 5;
            EXPECT_FALSE(facts.absorbs(news)) << greatest.name;
            facts.merge(news);
            EXPECT_EQ(facts, news) << greatest.name;
        },
        [](const column::Any& any, int) {
            Facts facts, news;
            news.*any.fact = true;
            EXPECT_FALSE(facts.absorbs(news)) << any.name;
            facts.merge(news);
            EXPECT_EQ(facts, news) << any.name;
        },
        [](const column::Value& value, int) {
            Facts facts, news;
            news.*value.fact = Written{"x", 5, false};
            EXPECT_FALSE(facts.absorbs(news)) << value.name;
            facts.merge(news);
            EXPECT_EQ(facts, news) << value.name;
        },
        [](const auto&, int) {},
    });
}

TEST(DifferencesTest, WhatIsMissingOrTooMuchIsADifference) {
    Derived derived = agreement();
    derived.nodes.add("new");
    derived.vanished.emplace_back().user_id = "old";
    derived.new_reauths.insert({"a", "new", false});
    derived.vanished_reauths.insert({"old", "a", true});
    std::vector<std::string> found;
    for (const Difference& difference : differences_of(derived))
        found.push_back(difference.user_id + " " + difference.column + " " + difference.stored.value_or("null") + " " +
                        difference.derived.value_or("null"));
    EXPECT_EQ(found, (std::vector<std::string>{"new user_id null new", "old user_id old null", "new reauths null a",
                                               "a reauths old (transfer) null"}));
}

} // namespace
} // namespace terra_identity::test
