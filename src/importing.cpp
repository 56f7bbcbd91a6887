// import_users: what Terra's list of users says becomes events of the ledger. And how such lists are read, for
// reconcile.
#include "core/import.h"
#include "core/user_list.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "pg/function.h"
#include "pg/jsonb.h"
#include "pg/query.h"
#include "pg/relations.h"
#include "pg/result_rows.h"
#include "pg/scratch.h"
#include "tables/connection_row.h"
#include "tables/entered_events.h"
#include "tables/ids.h"
#include "tables/locks.h"
#include "tables/owner.h"
#include "tables/progress.h"
#include "tables/refusals.h"
#include "tables/routes.h"
#include "tables/tombstones.h"

extern "C" {
#include "miscadmin.h"
}

namespace terra_identity {
namespace {

using namespace pg;
using namespace tables;

/// How many users are inserted by one statement.
constexpr std::size_t part_users = 2'000;

/// Clocks of other machines may be ahead of this server's by as much.
constexpr Micros clock_difference = 60 * micros_per_second;

Query insert_imports = R"(
    INSERT INTO terra_identity.events (dev_id, received_at, payload, event_id) OVERRIDING SYSTEM VALUE
    SELECT $1, $2,
           CASE WHEN u.authenticated THEN pg_catalog.jsonb_build_object('type', $3, 'user', u.listed)
                ELSE pg_catalog.jsonb_build_object('type', $3, 'user', u.listed, 'is_authenticated', false) END,
           u.event_id
    FROM ROWS FROM (pg_catalog.unnest($4), pg_catalog.unnest($5), pg_catalog.unnest($6))
        u (listed, authenticated, event_id))";

using User = ListedUser<JsonbView>;

Event read(const User& user, Micros taken_at) {
    return EventReader<JsonbView>(user.user, taken_at).read_listed(user.user, user.is_authenticated);
}

bool is_ended(EventKind kind) {
    return kind == EventKind::imported_deauthenticated || kind == EventKind::imported_revoked;
}

/// The argument `users`. @throws Error 22004 if it is null, 22023 if it is no list of users
UserList<JsonbView> users_argument(const NullableValue& argument) {
    if (argument.is_null)
        throw Error{"22004", "users is null", "", "Give what Terra's REST API answered, or rows of its terra_users."};
    UserList<JsonbView> list(view_of(argument));
    if (!list.is_list())
        throw Error{
            "22023", "users is no list of Terra's users",
            "It is neither an array, nor an object with the member users, data.results, user or user_id.",
            "Give what GET /subscriptions, GET /userInfo or POST /bulkUserInfo answered, several of these in an "
            "array, or jsonb_agg(to_jsonb(u)) of rows of terra_users."};
    return list;
}

/// The argument `taken_at`. @throws Error 22004 if it is null, 22008 if no list can be of that time
Micros taken_at_argument(const NullableValue& argument) {
    if (argument.is_null)
        throw Error{"22004", "taken_at is null", "", "Say when Terra was asked for the list."};
    const Micros taken_at = nearest_micros_of(argument.value);
    const Micros now = micros_of(TimestampTzGetDatum(GetCurrentTimestamp()));
    if (taken_at > now + clock_difference)
        throw Error{"22008", "taken_at is in the future",
                    "It is later than the server's clock, " + format_iso8601(now) + ".",
                    "Say when Terra was asked for the list."};
    if (taken_at < earliest_believed)
        throw Error{"22008", "taken_at is before 2015", "Terra did not exist then.",
                    "Say when Terra was asked for the list."};
    return taken_at;
}

/// What became of the users of a list.
struct Counts {
    std::int64_t users = 0;
    std::int64_t imported = 0;
    std::int64_t problems = 0;
    std::int64_t new_connections = 0;
};

/// Imports one part of a list after another.
class Import {
public:
    Import(std::string dev_id, Micros taken_at) : dev_id_(std::move(dev_id)), taken_at_(taken_at) {}

    void add(std::span<const User> part) {
        std::vector<Event> events;
        events.reserve(part.size());
        for (const User& user : part) {
            check_for_interrupts();
            events.push_back(read(user, taken_at_));
        }
        const Known known = known_of(events);
        std::vector<NullableValue> listed, authenticated, ids;
        std::vector<std::int64_t> event_ids;
        std::set<std::string_view> seen;
        std::int64_t unknown = 0;
        for (std::size_t n = 0; n < part.size(); ++n) {
            check_for_interrupts();
            const Event& event = events[n];
            // That it has ended is true since some time before, which is told better by what ended it here.
            if (is_ended(event.kind) && known.ended.contains(event.user->user_id))
                continue;
            if (names_forgotten(dev_id_, part[n].user)) {
                ++forgotten_;
                continue;
            }
            if (!event.problem.empty())
                ++counts_.problems;
            else if (!known.all.contains(event.user->user_id) && seen.insert(event.user->user_id).second)
                ++unknown;
            event_ids.push_back(next_id(event_ids_column));
            listed.push_back(part[n].user.copy());
            authenticated.push_back(BoolGetDatum(!part[n].is_authenticated.is_false()));
            ids.push_back(Int64GetDatum(event_ids.back()));
        }
        counts_.users += static_cast<std::int64_t>(part.size());
        // If another transaction has imported them meanwhile, they are not new.
        counts_.new_connections += std::min(unknown, insert(std::move(event_ids), listed, authenticated, ids));
    }

    /// To be called last. @return what became of the users
    const Counts& finish() {
        if (forgotten_ > 0)
            count_refusals(dev_id_, forgotten_reason, GetCurrentTimestamp(), forgotten_);
        return counts_;
    }

private:
    static constexpr const IdColumn& event_ids_column = tables::event_ids;

    struct Known {
        std::set<std::string> all;
        std::set<std::string> ended;
    };

    /// Of the users that the events name those that are known, and those that have ended.
    Known known_of(const std::vector<Event>& events) const {
        std::vector<std::string> user_ids;
        for (const Event& event : events)
            if (event.user)
                user_ids.push_back(event.user->user_id);
        Known known;
        Table connections("connections", AccessShareLock);
        for (const HeapTuple row : find_connections(connections, dev_id_, user_ids, Reads::latest)) {
            check_for_interrupts();
            const auto value = [&](int column) {
                return string_of(attribute(row, connections.columns(), column).value);
            };
            const std::string user_id = value(connection_column("user_id")),
                              status = value(connection_column("status"));
            known.all.insert(user_id);
            if (status != to_string(Status::active) && status != to_string(Status::superseded))
                known.ended.insert(user_id);
        }
        connections.close();
        return known;
    }

    /// @return how many events were inserted
    std::int64_t insert(std::vector<std::int64_t> event_ids, const std::vector<NullableValue>& listed,
                        const std::vector<NullableValue>& authenticated, const std::vector<NullableValue>& ids) {
        if (event_ids.empty())
            return 0;
        std::int64_t inserted = 0;
        const EnteredEvents entered(std::move(event_ids), call([] { return GetUserNameFromId(GetUserId(), false); }));
        as_definer(owner_of_tables(), [&] {
            insert_imports.run({text_parameter(dev_id_),
                                {TIMESTAMPTZOID, NullableValue(timestamptz_of(taken_at_))},
                                text_parameter(std::string(import_type)),
                                {JSONBARRAYOID, NullableValue(array_of(listed, JSONBOID))},
                                {BOOLARRAYOID, NullableValue(array_of(authenticated, BOOLOID))},
                                {INT8ARRAYOID, NullableValue(array_of(ids, INT8OID))}});
            inserted = static_cast<std::int64_t>(Query::rows());
        });
        counts_.imported += inserted;
        return inserted;
    }

    std::string dev_id_;
    Micros taken_at_;
    Counts counts_;
    std::int64_t forgotten_ = 0;
};

/// The result of import_users. It is one row and no set, so that a call is known to be the only one of its statement.
Datum row_of(FunctionCallInfo fcinfo, const Counts& counts) {
    return result_row(fcinfo, {Int64GetDatum(counts.users), Int64GetDatum(counts.imported),
                               Int64GetDatum(counts.users - counts.imported), Int64GetDatum(counts.new_connections),
                               Int64GetDatum(counts.problems)});
}

/// The word for what the list says of a user; null for one that cannot be read.
NullableValue state_of(EventKind kind) {
    switch (kind) {
    case EventKind::imported_alive:
        return text_of("alive");
    case EventKind::imported_listed:
        return text_of("listed");
    case EventKind::imported_deauthenticated:
        return text_of("deauthenticated");
    case EventKind::imported_revoked:
        return text_of("revoked");
    default:
        return {};
    }
}

} // namespace

PG_FUNCTION(terra_identity_import_users) {
    const std::string dev_id = dev_id_argument(argument(fcinfo, 2));
    const UserList<JsonbView> list = users_argument(argument(fcinfo, 0));
    Import import(dev_id, taken_at_argument(argument(fcinfo, 1)));
    const std::span users(list.users());
    if (users.size() > part_users)
        begin_batch();
    else
        begin_batch_if_called_again(fcinfo);
    const Scratch scratch;
    ToldProgress progress("import_users");
    progress.begin("users imported", users.size());
    for (std::size_t done = 0; done < users.size(); done += part_users) {
        progress.at(done);
        scratch.run([&] { import.add(users.subspan(done, std::min(part_users, users.size() - done))); });
    }
    scratch.close();
    if (users.empty())
        call([] { ereport(NOTICE, (errmsg("the list has no users, and nothing was imported"))); });
    return row_of(fcinfo, import.finish());
}

/// The users of a list as they are read, one row each.
PG_FUNCTION(terra_identity_listed_users) {
    ResultRows rows(fcinfo);
    dev_id_argument(argument(fcinfo, 2)); // so that reconcile() refuses null
    const UserList<JsonbView> list = users_argument(argument(fcinfo, 0));
    const Micros taken_at = taken_at_argument(argument(fcinfo, 1));
    const Scratch scratch;
    for (const User& user : list.users()) {
        check_for_interrupts();
        scratch.run([&] {
            const Event event = read(user, taken_at);
            const bool is_read = event.problem.empty();
            const auto text = [&](const std::optional<std::string> UserObject::*member) {
                return is_read ? NullableValue((*event.user).*member) : NullableValue();
            };
            rows.add({is_read ? NullableValue(text_of(event.user->user_id)) : NullableValue(),
                      text(&UserObject::reference_id), text(&UserObject::provider), text(&UserObject::scopes),
                      is_read ? NullableValue(event.user->created_at) : NullableValue(), state_of(event.kind),
                      BoolGetDatum(!user.is_authenticated.is_false()),
                      is_read ? NullableValue() : NullableValue(text_of(event.problem)), user.user.copy()});
        });
    }
    scratch.close();
    return Datum{0};
}

/// Why a list cannot have every user; null if it says nothing of the kind.
PG_FUNCTION(terra_identity_list_gap) {
    const std::string gap = users_argument(argument(fcinfo, 0)).gap();
    fcinfo->isnull = gap.empty();
    return gap.empty() ? Datum{0} : text_of(gap);
}

} // namespace terra_identity
