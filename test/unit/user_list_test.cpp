// Lists of users in every shape in which Terra gives them, and what is read of one user.
#include "deliveries.h"

#include "core/import.h"
#include "core/user_list.h"

#include <gtest/gtest.h>

namespace terra_identity::test {
namespace {

using nlohmann::json;

struct Shape {
    const char* name;
    const char* list;
    const char* users; ///< user_ids, `?` for what has none, `!` after one that is not authenticated; or "no list"
    const char* gap = "";
};

void PrintTo(const Shape& shape, std::ostream* out) { *out << shape.name; }

const std::vector<Shape>& shapes() {
    static constexpr const char* about_one = "it is, or contains, the answer about one user_id";
    static constexpr const char* next_page = "every page of it says that there is a next one";
    static const std::vector<Shape> all{
        {"Users", R"({"users": [{"user_id": "a"}, {"user_id": "b"}], "status": "success"})", "a b"},
        {"Bare", R"([{"user_id": "a"}, {"user_id": "b"}])", "a b"},
        {"OnlyPage", R"({"data": {"next": null, "max_page": 1, "results": [{"user_id": "a"}]}})", "a"},
        {"PageWithoutNumbers", R"({"data": {"results": [{"user_id": "a"}]}})", "a"},
        {"FirstPage", R"({"data": {"next": 2, "max_page": 3, "results": [{"user_id": "a"}]}})", "a", next_page},
        {"LastPage", R"({"data": {"next": null, "max_page": 2, "results": [{"user_id": "b"}]}})", "b",
         "it has 1 of 2 pages"},
        {"AllPages",
         R"([{"data": {"next": 2, "max_page": 2, "results": [{"user_id": "a"}]}},
             {"data": {"next": null, "max_page": 2, "results": [{"user_id": "b"}]}}])",
         "a b"},
        {"APageIsMissing",
         R"([{"data": {"next": 2, "max_page": 3, "results": [{"user_id": "a"}]}},
             {"data": {"next": null, "max_page": 3, "results": [{"user_id": "c"}]}}])",
         "a c", "it has 2 of 3 pages"},
        {"OfOne", R"({"status": "success", "is_authenticated": true, "user": {"user_id": "a"}})", "a", about_one},
        {"OfOneThatIsNotAuthenticated", R"({"is_authenticated": false, "user": {"user_id": "a"}})", "a!", about_one},
        {"OfSeveral", R"([{"is_authenticated": false, "user": {"user_id": "a"}}, {"user": {"user_id": "b"}}])", "a! b",
         about_one},
        {"OneUser", R"({"user_id": "a"})", "a"},
        {"BareAnswers", R"([[{"user_id": "a"}], [{"user_id": "b"}], []])", "a b"},
        {"UsersAnswers", R"([{"users": [{"user_id": "a"}]}, {"users": []}])", "a"},
        {"RowsOfTheSqlDestination",
         R"([{"user_id": "a", "state": "deauth", "granted_scopes": "S", "provider": "OURA"}])", "a"},
        {"Empty", "[]", ""},
        {"NoUsers", R"({"users": []})", ""},
        {"WhatIsNoUserIsKept", R"([5, null, "a", {}, {"user_id": null}, [[]], {"user_id": 7}])", "? ? ? ? ? ? ?"},
        {"AUserWithAMemberUsers", R"([{"user_id": "a", "users": [{"user_id": "b"}], "data": {}}])", "a"},
        {"AnError", R"({"status": "error", "message": "no such dev_id"})", "no list"},
        {"AnErrorAmongAnswers", R"([{"users": [{"user_id": "a"}]}, {"status": "error"}])", "a ?"},
        {"UsersThatAreNone", R"({"users": {"user_id": "a"}})", "no list"},
        {"AString", R"("a")", "no list"},
        {"Nothing", "null", "no list"},
    };
    return all;
}

class UserListTest : public testing::TestWithParam<Shape> {};

TEST_P(UserListTest, IsRead) {
    const json parsed = json::parse(GetParam().list);
    const UserList<NlohmannView> list{NlohmannView(parsed)};
    std::string users;
    for (const auto& [user, is_authenticated] : list.users()) {
        const Event event = EventReader<NlohmannView>(user, epoch).read_listed(user, is_authenticated);
        EXPECT_EQ(event.problem.empty(), event.user.has_value());
        users += (users.empty() ? "" : " ") + (event.user ? event.user->user_id : "?") +
                 (is_authenticated.is_false() ? "!" : "");
    }
    EXPECT_EQ(list.is_list() ? users : "no list", GetParam().users);
    EXPECT_EQ(list.gap(), GetParam().gap);
}

INSTANTIATE_TEST_SUITE_P(All, UserListTest, testing::ValuesIn(shapes()),
                         [](const auto& info) { return std::string(info.param.name); });

EventKind kind_of(const char* user, const char* is_authenticated = "null") {
    json payload{{"type", "import"}, {"user", json::parse(user)}, {"is_authenticated", json::parse(is_authenticated)}};
    return read_import(NlohmannView(payload), epoch).kind;
}

TEST(ImportTest, SaysWhatTheListSays) {
    using enum EventKind;
    EXPECT_EQ(kind_of(R"({"user_id": "a"})"), imported_alive);
    EXPECT_EQ(kind_of(R"({"user_id": "a", "active": true})", "true"), imported_alive);
    EXPECT_EQ(kind_of(R"({"user_id": "a", "active": false})"), imported_listed);
    EXPECT_EQ(kind_of(R"({"user_id": "a", "active": "false"})"), imported_alive);
    EXPECT_EQ(kind_of(R"({"user_id": "a", "active": true})", "false"), imported_listed);
    EXPECT_EQ(kind_of(R"({"user_id": "a", "state": " active "})"), imported_alive);
    EXPECT_EQ(kind_of(R"({"user_id": "a", "state": "deauth"})"), imported_deauthenticated);
    EXPECT_EQ(kind_of(R"({"user_id": "a", "state": "user_reauth", "active": true})"), imported_deauthenticated);
    EXPECT_EQ(kind_of(R"({"user_id": "a", "state": "access_revoked"})"), imported_revoked);
    EXPECT_EQ(kind_of(R"({"user_id": "a", "state": "on holiday"})"), imported_listed);
    EXPECT_EQ(kind_of(R"({"user_id": "a", "state": 5})"), imported_alive);
    EXPECT_EQ(kind_of(R"({"user_id": ""})"), nothing);
}

TEST(ImportTest, ReadsAUserLikeAWebhook) {
    const json user{{"user_id", " a "}, {"provider", "oura"}, {"reference_id", 7}, {"created_at", "2025-01-01T00:00Z"}};
    const Event imported = EventReader<NlohmannView>(NlohmannView(user), epoch).read_listed(NlohmannView(user), {});
    const json payload{{"type", "auth"}, {"status", "success"}, {"user", user}};
    EXPECT_EQ(imported.user, read_event(NlohmannView(payload), Headers{}, epoch).user);
    EXPECT_EQ(imported.type, "import");
    EXPECT_EQ(imported.time, epoch);
    EXPECT_FALSE(imported.ordering);
    EXPECT_EQ(import_trace_id(imported), " import 2026-01-01T00:00:00Z a");
}

TEST(ImportTest, ReadsTheScopesOfTheSqlDestination) {
    const auto scopes = [](const json& user) {
        return EventReader<NlohmannView>(NlohmannView(user), epoch).read_listed(NlohmannView(user), {}).user->scopes;
    };
    EXPECT_EQ(scopes({{"user_id", "a"}, {"granted_scopes", "S,T"}}), "S,T");
    EXPECT_EQ(scopes({{"user_id", "a"}, {"granted_scopes", "S,T"}, {"scopes", "U"}}), "U");
    EXPECT_EQ(scopes({{"user_id", "a"}, {"granted_scopes", 5}}), std::nullopt);
}

TEST(ImportTest, IsNothingThatAWebhookCanBe) {
    const json payload{{"type", "import"}, {"user", {{"user_id", "a"}}}};
    EXPECT_EQ(read_event(NlohmannView(payload), Headers{}, epoch).kind, EventKind::passing);
}

} // namespace
} // namespace terra_identity::test
