// Tests with a payload of every known type and variant, as Terra sends it (test/data/events): how it is read, and which
// facts it adds. A new file in that folder needs a row here.
#include "deliveries.h"

#include "core/facts.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

namespace terra_identity::test {
namespace {

/// The ordering timestamp of every delivery in this file; it is received two seconds later.
constexpr Micros sent_at = epoch + 59 * micros_per_day + 250'000;
constexpr Micros received_at = sent_at + 2 * micros_per_second;

struct Row {
    std::string file; ///< without .json
    EventKind kind;
    std::string user; ///< user_id, provider, reference_id, scopes, created_at; `-` is null
    std::string old_user = "-";
    std::string provider_user_id = "-";
    /// The facts that the event adds besides those in the user objects, the old user's first.
    std::vector<std::string> facts;
};

const std::vector<Row>& rows() {
    using enum EventKind;
    static const std::string a = "5f1c9a70-0d3e-4f0b-9a51-7e2f6b1d0a01";
    static const std::string b = "c2b7e4d8-93aa-4c55-8c0e-1b6f0e7d2a02";
    static const std::string mina = " OURA member-204 daily,heartrate,personal -";
    static const std::string alive = "live confirmed alive=now";
    static const std::vector<Row> all{
        {"auth_success",
         auth_success,
         a + " OURA member-204 daily,heartrate,personal 2026-02-28T08:15:30.250000Z",
         "-",
         "-",
         {alive}},
        {"auth_success_reference_at_the_top", auth_success, a + " OURA member-205 - -", "-", "-", {alive}},
        {"auth_error", auth_failure, a + mina, "-", "-", {"failed=now"}},
        {"auth_cancelled", nothing, "-", "-", "-", {}},
        {"auth_cancelled_all_null", nothing, "-", "-", "-", {}},

        {"user_reauth",
         user_reauth,
         b + " OURA member-204 daily 2026-02-28T08:15:30Z",
         a + " OURA member-204 daily,heartrate,personal 2025-06-01T06:00:00Z",
         "-",
         {"replaced=now:" + b, alive}},
        {"user_reauth_minimal",
         user_reauth,
         "new-71 - member-71 - -",
         "old-71 - member-71 - -",
         "-",
         {"replaced=now:new-71", alive}},
        {"user_reauth_old_user_null", user_reauth, b + mina, "-", "-", {alive}},
        {"user_reauth_old_user_absent", user_reauth, b + mina, "-", "-", {alive}},
        {"user_reauth_old_user_without_id", user_reauth, b + mina, "-", "-", {alive}},
        {"user_reauth_old_user_equal", user_reauth, b + mina, "-", "-", {alive}},

        {"deauth", deauth, a + mina, "-", "-", {"deauthenticated=now"}},
        {"deauth_minimal", deauth, "gone-9 FITBIT member-9 - -", "-", "-", {"deauthenticated=now"}},
        {"access_revoked",
         access_revoked,
         a + " GARMIN member-204 daily,heartrate,personal -",
         "-",
         "-",
         {"revoked=now"}},
        {"permission_change", permission_change, a + " OURA member-204 daily,personal -", "-", "-", {"live"}},
        {"connection_error", connection_error, a + mina, "-", "-", {"live degraded=now"}},

        {"athlete_string", athlete, a + mina, "-", "OU-88213", {"live account=now:OU-88213"}},
        {"athlete_integer", athlete, a + " STRAVA member-204 - -", "-", "90210554", {"live account=now:90210554"}},
        {"athlete_null", athlete, a + mina, "-", "-", {"live"}},
        {"athlete_data", athlete, a + mina, "-", "OU-88214", {"live account=now:OU-88214"}},
        {"athlete_answer", athlete, "answered-3 OURA - - -", "-", "OU-88213", {"live account=now:OU-88213"}},
        {"athlete_answer_type_null", athlete, "answered-4 OURA - - -", "-", "-", {"live"}},

        {"activity", passing, a + mina, "-", "-", {"live"}},
        {"body_empty_reference", passing, a + " WITHINGS - - -", "-", "-", {"live"}},
        {"daily", passing, a + mina, "-", "-", {"live"}},
        {"sleep", passing, a + mina, "-", "-", {"live"}},
        {"nutrition", passing, a + " CRONOMETER member-204 daily,heartrate,personal -", "-", "-", {"live"}},
        {"menstruation", passing, a + mina, "-", "-", {"live"}},
        {"planned_workout", passing, a + mina, "-", "-", {"live"}},
        {"hormone", passing, a + mina, "-", "-", {"live"}},
        {"health_observation", passing, a + " OURA member-204 - -", "-", "-", {"live"}},
        {"google_no_datasource", passing, a + " GOOGLE member-204 daily,heartrate,personal -", "-", "-", {"live"}},
        {"large_request_processing", passing, a + mina, "-", "-", {"live"}},
        {"large_request_sending", passing, a + mina, "-", "-", {"live"}},
        {"processing", passing, a + mina, "-", "-", {"live"}},
        {"rate_limit_hit", passing, a + mina, "-", "-", {"live"}},

        {"s3_payload", nothing, "-", "-", "-", {}},
        {"healthcheck", nothing, "-", "-", "-", {}},
        {"lab_report_completed", nothing, "-", "-", "-", {}},
        {"lab_report_failed", nothing, "-", "-", "-", {}},
        {"unknown_type_with_user", passing, a + mina, "-", "-", {"live"}},
        {"unknown_type_without_user", nothing, "-", "-", "-", {}},
    };
    return all;
}

std::filesystem::path folder() { return std::filesystem::path(TEST_DATA_DIR) / "events"; }

Event read_file(const std::string& name) {
    std::ifstream file(folder() / (name + ".json"));
    Delivery delivery;
    delivery.payload = nlohmann::json::parse(file);
    delivery.headers = {{"X-Terra-Ordering-Timestamp", std::to_string(sent_at / 1000)}};
    delivery.received_at = received_at;
    return read(delivery);
}

std::string text(const std::optional<std::string>& value) { return value.value_or("-"); }
std::string text(const std::optional<Micros>& time) {
    return !time ? "-" : *time == sent_at ? "now" : format_iso8601(*time);
}

std::string describe(const std::optional<UserObject>& user) {
    if (!user)
        return "-";
    return user->user_id + " " + text(user->provider) + " " + text(user->reference_id) + " " + text(user->scopes) +
           " " + text(user->created_at);
}

/// The facts that the event adds besides those in the user object.
std::string describe(const Facts& facts) {
    std::string result;
    const auto add = [&result](const std::string& word) { result += (result.empty() ? "" : " ") + word; };
    const auto add_time = [&](const std::string& name, const std::optional<Micros>& time) {
        if (time)
            add(name + "=" + text(time));
    };
    const auto add_written = [&](const std::string& name, const Register& written) {
        if (written)
            add(name + "=" + text(std::optional(written->at)) + ":" + written->value);
    };
    if (facts.live)
        add("live");
    if (facts.confirmed)
        add("confirmed");
    add_time("alive", facts.alive_at);
    add_written("replaced", facts.replaced);
    add_time("deauthenticated", facts.deauthenticated_at);
    add_time("revoked", facts.revoked_at);
    add_time("failed", facts.failed_at);
    add_time("degraded", facts.degraded_at);
    add_written("account", facts.provider_user_id);
    return result;
}

void expect_facts_of_user_object(const Facts& facts, const UserObject& user, bool passing) {
    const auto written = [passing](const std::optional<std::string>& value) {
        return value ? Register(Written{*value, sent_at, passing}) : std::nullopt;
    };
    EXPECT_EQ(facts.first_seen_at, sent_at);
    EXPECT_EQ(facts.created_at, user.created_at);
    EXPECT_TRUE(facts.provider == written(user.provider));
    EXPECT_TRUE(facts.reference_id == written(user.reference_id));
    EXPECT_TRUE(facts.scopes == written(user.scopes));
}

TEST(EventsTest, AreReadAsTheTableSays) {
    for (const Row& row : rows()) {
        SCOPED_TRACE(row.file);
        const Event event = read_file(row.file);
        EXPECT_EQ(event.kind, row.kind);
        EXPECT_EQ(describe(event.user), row.user);
        EXPECT_EQ(describe(event.old_user), row.old_user);
        EXPECT_EQ(text(event.provider_user_id), row.provider_user_id);
        EXPECT_EQ(event.problem, "");
        EXPECT_EQ(event.time, sent_at);
    }
}

TEST(EventsTest, AddTheFactsThatTheTableSays) {
    for (const Row& row : rows()) {
        SCOPED_TRACE(row.file);
        const Event event = read_file(row.file);
        const std::vector<Contribution> contributions = contributions_of(event);
        std::vector<std::string> facts;
        for (const Contribution& contribution : contributions) {
            facts.push_back(describe(contribution.facts));
            const UserObject& user = contribution.user_id == event.user->user_id ? *event.user : event.old_user.value();
            EXPECT_EQ(contribution.user_id, user.user_id);
            expect_facts_of_user_object(contribution.facts, user, row.kind == EventKind::passing);
        }
        EXPECT_EQ(facts, row.facts);
    }
}

TEST(EventsTest, LinkWhatAReauthNames) {
    for (const Row& row : rows()) {
        SCOPED_TRACE(row.file);
        const Event event = read_file(row.file);
        const auto reauth = reauth_of(event);
        EXPECT_EQ(reauth.has_value(), row.old_user != "-");
        if (reauth) {
            EXPECT_EQ(*reauth, (Reauth{event.old_user->user_id, event.user->user_id, false}));
        }
    }
}

TEST(EventsTest, EveryFileHasItsRow) {
    std::set<std::string> files, named;
    for (const auto& entry : std::filesystem::directory_iterator(folder()))
        files.insert(entry.path().filename().string());
    for (const Row& row : rows())
        EXPECT_TRUE(named.insert(row.file + ".json").second) << row.file << " has two rows";
    EXPECT_EQ(files, named);
}

} // namespace
} // namespace terra_identity::test
