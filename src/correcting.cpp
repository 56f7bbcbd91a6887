// correct: a person's decision about a connection, which becomes an event of the ledger.
#include "correcting.h"

#include "core/correction.h"
#include "core/connection.h"
#include "core/renaming.h"
#include "core/wording.h"

#include <optional>
#include <string>
#include <utility>

#include "pg/function.h"
#include "pg/query.h"
#include "pg/relations.h"
#include "tables/connection_row.h"
#include "tables/entered_events.h"
#include "tables/ids.h"
#include "tables/locks.h"
#include "tables/owner.h"
#include "tables/routes.h"
#include "tables/sqlstates.h"
#include "tables/tombstones.h"

extern "C" {
#include "miscadmin.h"
}

namespace terra_identity {
namespace {

using namespace pg;
using namespace tables;

Query insert_correction = R"(
    INSERT INTO terra_identity.events AS e (dev_id, received_at, payload, event_id) OVERRIDING SYSTEM VALUE
    VALUES ($1, $2, pg_catalog.jsonb_build_object(
        'type', $3, 'user', pg_catalog.jsonb_build_object('user_id', $4),
        'correction', pg_catalog.jsonb_strip_nulls(
            pg_catalog.jsonb_build_object('what', $5, 'note', $6, 'other_user_id', $7))), $8))";

/// The arguments of a call.
struct Correction {
    EventKind kind = EventKind::nothing;
    std::string what;
    std::string note;
    std::string user_id;
    std::string other_user_id; ///< empty if the correction names none
    std::string dev_id;
};

std::string words_of_corrections() {
    std::string result;
    for (const auto& [word, kind] : correction_words)
        result += (result.empty() ? "" : ", ") + std::string(word) + (names_other(kind) ? " (another user_id)" : "");
    return result;
}

/// A text argument that must be there. @throws Error 22004 if it is null, 22023 if it is white space
std::string required(const NullableValue& argument, const char* name, const char* hint) {
    if (argument.is_null)
        throw Error{"22004", std::string(name) + " is null", "", hint};
    std::string text = string_of(argument.value);
    if (text.find_first_not_of(" \t\n\r\v\f") == std::string::npos)
        throw Error{"22023", std::string(name) + " is empty", "", hint};
    return text;
}

Correction correction_of_arguments(FunctionCallInfo fcinfo) {
    Correction correction;
    correction.user_id = required(argument(fcinfo, 0), "user_id", "Name the connection.");
    correction.dev_id = dev_id_argument(argument(fcinfo, 4));
    const std::string words = "What correct() can say: " + words_of_corrections() + ".";
    correction.what = required(argument(fcinfo, 1), "what", words.c_str());
    correction.note = required(argument(fcinfo, 2), "note", "Say how you know it: explain() will tell.");
    const std::optional<EventKind> kind = terra_identity::correction_of(correction.what);
    if (!kind)
        throw Error{"22023", "unknown correction " + quote(correction.what), "", words};
    correction.kind = *kind;
    if (names_other(*kind))
        correction.other_user_id = required(argument(fcinfo, 3), "other_user_id",
                                            "Name the connection that is, or is not, of the same person.");
    else if (!argument(fcinfo, 3).is_null)
        throw Error{"22023", "correction " + quote(correction.what) + " takes no other_user_id", "", words};
    return correction;
}

/// Reads the connections that a correction names, as they are at this moment.
class Stored {
public:
    explicit Stored(std::string dev_id) : dev_id_(std::move(dev_id)) {}

    /// @throws Error TI004 if it is not known
    Connection at(const std::string& user_id) const {
        Table connections("connections", AccessShareLock);
        const std::vector<HeapTuple> rows = find_connections(connections, dev_id_, {user_id}, Reads::latest);
        if (rows.empty())
            throw Error{cannot_correct, "connection " + quote(user_id) + " is not known",
                        "No event of environment " + quote(dev_id_) + " names it.",
                        "Check the user_id, and the dev_id."};
        Connection found = connection_of(rows.front(), connections.columns());
        connections.close();
        return found;
    }

private:
    std::string dev_id_;
};

bool names(const Connection& one, const Connection& other) {
    const std::string* const named = one.facts.same_person();
    return named != nullptr && *named == other.user_id;
}

/// Refuses to link two connections that are not of one person and provider, or that are linked already.
void refuse_link(const Connection& user, const Connection& other) {
    const std::string both = quote(user.user_id) + " and " + quote(other.user_id);
    if (user.user_id == other.user_id)
        throw Error{cannot_correct, "connection " + quote(user.user_id) + " is of the same person as itself", "",
                    "Name another connection as other_user_id."};
    if (!has_same_reference(user, other))
        throw Error{cannot_correct, "connections " + both + " are not of one end user",
                    "They are " + connection_of_person(user) + " and " + connection_of_person(other) +
                        ". A link could lead from one person to another's health data.",
                    "If your app gave one of them a wrong reference_id, or none, let the person connect again with the "
                    "right one."};
    if (!may_be_same_person(user, other))
        throw Error{cannot_correct, "connections " + both + " are of different providers",
                    "They are of " + user.provider().value_or("") + " and " + other.provider().value_or("") +
                        ", and a lineage is of one provider account.",
                    "terra_identity.user_ids() returns the ids of an end user at all providers."};
    if (user.lineage_id == other.lineage_id)
        throw Error{cannot_correct, "connections " + both + " are of one lineage already", "",
                    "terra_identity.lineage() lists its connections."};
    if (const std::string* const named = user.facts.same_person())
        throw Error{cannot_correct, "connection " + quote(user.user_id) + " is of the same person as another",
                    "A correction names " + quote(*named) + ", and there can be one.",
                    "Say it of " + quote(other.user_id) + ", with other_user_id " + quote(user.user_id) +
                        "; or take the earlier correction back first: not_same_person_as."};
}

/// Refuses what cannot be said of the connections as they are. Makes the connection whose correction is taken back the
/// first of the two.
void refuse_before(Correction& correction, const Stored& stored) {
    for (const std::string& user_id : {correction.user_id, correction.other_user_id})
        if (is_name_of_forgotten(user_id))
            throw Error{cannot_correct, "connection " + quote(user_id) + " is of somebody who was forgotten",
                        "It is only there because connections of others follow from it."};
    const Connection user = stored.at(correction.user_id);
    if (correction.kind == EventKind::corrected_ended && user.facts.ended())
        throw Error{cannot_correct, "connection " + quote(user.user_id) + " has ended already",
                    "Its status is " + quote(std::string(to_string(user.status))) + " since " +
                        format_iso8601(user.ended_at.value_or(0)) + "."};
    if (!names_other(correction.kind))
        return;
    const Connection other = stored.at(correction.other_user_id);
    if (correction.kind == EventKind::corrected_same_person)
        return refuse_link(user, other);
    if (names(other, user) && !names(user, other))
        std::swap(correction.user_id, correction.other_user_id);
    else if (!names(user, other))
        throw Error{cannot_correct,
                    "no correction says that " + quote(user.user_id) + " is of the same person as " +
                        quote(other.user_id),
                    "", "What webhooks say cannot be taken back."};
}

/// @return the event_id
std::int64_t insert(const Correction& correction, std::optional<Micros> at = {}) {
    const std::int64_t event_id = next_id(event_ids);
    const std::string role = call([] { return GetUserNameFromId(GetUserId(), false); });
    const EnteredEvents entered({event_id}, role);
    std::uint64_t inserted = 0;
    as_definer(owner_of_tables(), [&] {
        insert_correction.run(
            {text_parameter(correction.dev_id),
             {TIMESTAMPTZOID, NullableValue(at ? timestamptz_of(*at) : TimestampTzGetDatum(GetCurrentTimestamp()))},
             text_parameter(std::string(correction_type)),
             text_parameter(correction.user_id),
             text_parameter(correction.what),
             text_parameter(correction.note),
             {TEXTOID,
              correction.other_user_id.empty() ? NullableValue() : NullableValue(text_of(correction.other_user_id))},
             id_parameter(event_id)});
        inserted = Query::rows();
    });
    if (inserted == 0 && has_tombstones(correction.dev_id))
        for (const std::string& user_id : {correction.user_id, correction.other_user_id})
            if (is_forgotten(correction.dev_id, IdKind::user, user_id))
                throw Error{cannot_correct, "connection " + quote(user_id) + " was forgotten", "",
                            "terra_identity.remember_user() takes its events again."};
    if (inserted == 0)
        throw Error{cannot_correct, "the correction was not stored",
                    "A trigger on terra_identity.events skipped the event."};
    return event_id;
}

[[noreturn]] void refuse_active(const Connection& now) {
    const std::string what = "connection " + quote(now.user_id) + " cannot be active: ";
    if (now.facts.ended())
        throw Error{cannot_correct, what + "it ends at a later time",
                    "A webhook ends it at " + format_iso8601(now.facts.last_end().value_or(0)) + ", by Terra's clock.",
                    "Try again after that time."};
    throw Error{cannot_correct,
                what + "connection " + quote(now.successor_user_id.value_or("")) + " is newer and has its slot",
                "Only one connection can be active there, by the rules of the environment.",
                now.account_exclusive
                    ? "If several people may be connected to one provider account, set environments.account_policy to "
                      "keep. If the account ids of the provider mean nothing, set providers.account_ids to unusable."
                    : "Both are of one end user and one provider account or device."};
}

/// Refuses the correction, which is then rolled back, if the state is not what it says. By now the connections are
/// locked.
void refuse_after(const Correction& correction, const Stored& stored) {
    const Connection user = stored.at(correction.user_id);
    if (correction.kind == EventKind::corrected_active && user.status != Status::active)
        refuse_active(user);
    if (correction.kind == EventKind::corrected_ended && !user.facts.ended())
        throw Error{cannot_correct,
                    "connection " + quote(user.user_id) + " cannot be ended: it connects at a later time",
                    "A webhook says that it is alive at " + format_iso8601(user.facts.alive_at.value_or(0)) +
                        ", by Terra's clock.",
                    "Try again after that time."};
    if (!names_other(correction.kind))
        return;
    const Connection other = stored.at(correction.other_user_id);
    const bool is_link = correction.kind == EventKind::corrected_same_person;
    if (names(user, other) != is_link || names(other, user) || (is_link && user.lineage_id != other.lineage_id))
        throw Error{"40001", "could not correct connection " + quote(user.user_id) + ": it changed meanwhile", "",
                    "Try again."};
    if (!is_link && user.lineage_id == other.lineage_id)
        call([one = user.user_id.c_str(), two = other.user_id.c_str()] {
            ereport(NOTICE, (errmsg("connections \"%s\" and \"%s\" are still of one lineage", one, two),
                             errdetail("Webhooks, or other corrections, link them, too.")));
        });
}

} // namespace

void insert_end(const std::string& user_id, const std::string& note, const std::string& dev_id,
                std::optional<Micros> at) {
    insert({EventKind::corrected_ended, "ended", note, user_id, "", dev_id}, at);
}

PG_FUNCTION(terra_identity_correct) {
    begin_batch_if_called_again(fcinfo);
    Correction correction = correction_of_arguments(fcinfo);
    const Stored stored(correction.dev_id);
    refuse_before(correction, stored);
    const std::int64_t event_id = insert(correction);
    refuse_after(correction, stored);
    return Int64GetDatum(event_id);
}

} // namespace terra_identity
