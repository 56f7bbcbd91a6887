#include "history.h"

#include <algorithm>
#include <array>
#include <random>
#include <string>

namespace terra_identity::bench {
namespace {

/// 2026-01-01 00:00 UTC.
constexpr Micros epoch = 1'767'225'600 * micros_per_second;

/// Thirty-two hexadecimal digits that follow from a number, in the form of a UUID.
std::string uuid(std::uint64_t number) {
    std::mt19937_64 random(number);
    std::string text = "xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx";
    std::uint64_t digits = 0;
    int left = 0;
    for (char& c : text) {
        if (c != 'x')
            continue;
        if (left-- == 0) {
            digits = random();
            left = 15;
        }
        c = "0123456789abcdef"[digits & 15];
        digits >>= 4;
    }
    return text;
}

UserObject user_object(std::uint64_t number, const char* provider, const std::string& reference_id, Micros created_at) {
    return {uuid(number), provider, reference_id, "activity,body,daily,sleep", created_at};
}

Event event_about(EventKind kind, const char* type, UserObject user, Micros time) {
    Event event;
    event.type = type;
    event.kind = kind;
    event.user = std::move(user);
    event.time = time;
    event.ordering = time;
    return event;
}

/// An event before it is written out: what is small enough to be shuffled.
struct Sketch {
    EventKind kind;
    const char* type;
    std::uint32_t connection;
    std::uint32_t old_connection; ///< of a `user_reauth`
    Micros time;
};

struct SketchedConnection {
    const char* provider;
    std::uint32_t end_user;
    std::uint32_t account;
    Micros created_at;
};

/// End users connect, connect again after a while, and end it; a few hold an account that another has too.
class Sketches {
public:
    explicit Sketches(std::uint64_t seed) : random_(seed) {}

    std::vector<Sketch> draw(std::size_t events) {
        while (events_.size() < events)
            add_end_user();
        events_.resize(events);
        std::shuffle(events_.begin(), events_.end(), random_);
        return std::move(events_);
    }

    const SketchedConnection& connection(std::uint32_t number) const { return connections_[number]; }

private:
    static constexpr std::array<const char*, 6> providers{"GARMIN", "FITBIT", "OURA", "WITHINGS", "POLAR", "APPLE"};

    std::uint32_t below(std::uint32_t end) { return static_cast<std::uint32_t>(random_() % end); }
    bool chance(std::uint32_t percent) { return below(100) < percent; }

    void add_end_user() {
        const std::uint32_t end_user = end_users_++;
        const char* provider = providers[below(providers.size())];
        std::uint32_t account = end_user;
        if (end_user > 0 && chance(5)) {
            const SketchedConnection& other = connections_[below(static_cast<std::uint32_t>(connections_.size()))];
            provider = other.provider;
            account = other.account;
        }
        Micros time = epoch + below(700) * micros_per_day + below(86'400) * micros_per_second;
        add_connection({provider, end_user, account, time});
        while (chance(20)) {
            time += micros_per_day;
            add_connection({provider, end_user, account, time});
            if (chance(60))
                add(EventKind::user_reauth, "user_reauth", newest() - 1);
        }
    }

    std::uint32_t newest() const { return static_cast<std::uint32_t>(connections_.size() - 1); }

    void add_connection(const SketchedConnection& connection) {
        connections_.push_back(connection);
        time_ = connection.created_at;
        add(EventKind::auth_success, "auth");
        if (std::string_view(connection.provider) != "APPLE" && chance(90))
            add(EventKind::athlete, "athlete");
        while (chance(20))
            add(EventKind::permission_change, "permission_change");
        while (chance(20))
            add(EventKind::connection_error, "connection_error");
        while (chance(15))
            add(EventKind::auth_success, "auth");
        if (chance(5))
            add(EventKind::auth_failure, "auth");
        if (chance(20))
            add(EventKind::deauth, "deauth");
        else if (chance(10))
            add(EventKind::access_revoked, "access_revoked");
    }

    void add(EventKind kind, const char* type, std::uint32_t old_connection = 0) {
        time_ += below(3600) * micros_per_second;
        events_.push_back({kind, type, newest(), old_connection, time_});
    }

    std::mt19937_64 random_;
    std::vector<Sketch> events_;
    std::vector<SketchedConnection> connections_;
    std::uint32_t end_users_ = 0;
    Micros time_ = epoch;
};

} // namespace

std::vector<Event> shuffled_history(std::size_t events, std::uint64_t seed) {
    Sketches sketches(seed);
    const auto user = [&](std::uint32_t number) {
        const SketchedConnection& connection = sketches.connection(number);
        return user_object(number, connection.provider, "user-" + std::to_string(connection.end_user),
                           connection.created_at);
    };
    std::vector<Event> result;
    result.reserve(events);
    for (const Sketch& sketch : sketches.draw(events)) {
        Event& event = result.emplace_back(event_about(sketch.kind, sketch.type, user(sketch.connection), sketch.time));
        if (sketch.kind == EventKind::athlete)
            event.provider_user_id = std::to_string(70'000'000 + sketches.connection(sketch.connection).account);
        if (sketch.kind == EventKind::user_reauth)
            event.old_user = user(sketch.old_connection);
    }
    return result;
}

Event auth_of(std::uint64_t number) {
    return event_about(EventKind::auth_success, "auth", user_object(number, "OURA", uuid(number + 1), epoch), epoch);
}

Event athlete_of(std::uint64_t number) {
    Event event = auth_of(number);
    event.kind = EventKind::athlete;
    event.type = "athlete";
    event.time = epoch + micros_per_second;
    event.provider_user_id = uuid(number + 2);
    return event;
}

} // namespace terra_identity::bench
