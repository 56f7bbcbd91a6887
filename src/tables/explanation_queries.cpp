#include "tables/explanation_queries.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "tables/connection_row.h"
#include "tables/ledger.h"
#include "tables/readers.h"

namespace terra_identity::tables {

using namespace pg;

namespace {

Query select_connection = R"(
    SELECT c.* FROM terra_identity.connections c
    WHERE c.dev_id OPERATOR(pg_catalog.=) $1 AND c.user_id OPERATOR(pg_catalog.=) $2)";

Query select_reauths_from = R"(
    SELECT r.old_user_id, r.new_user_id, r.transfer FROM terra_identity.reauths r
    WHERE r.dev_id OPERATOR(pg_catalog.=) $1 AND r.old_user_id OPERATOR(pg_catalog.=) $2
    LIMIT 100)";

Query select_reauths_to = R"(
    SELECT r.old_user_id, r.new_user_id, r.transfer FROM terra_identity.reauths r
    WHERE r.dev_id OPERATOR(pg_catalog.=) $1 AND r.new_user_id OPERATOR(pg_catalog.=) $2
    LIMIT 100)";

Query select_lineage = R"(
    SELECT c.* FROM terra_identity.connections c
    WHERE c.dev_id OPERATOR(pg_catalog.=) $1 AND c.lineage_id OPERATOR(pg_catalog.=) $2
      AND c.status OPERATOR(pg_catalog.=) $3
    ORDER BY c.dated DESC, c.connected_at DESC, c.user_id COLLATE "C" DESC LIMIT $4)";

Query count_lineage = R"(
    SELECT pg_catalog.count(*) FROM (
        SELECT FROM terra_identity.connections c
        WHERE c.dev_id OPERATOR(pg_catalog.=) $1 AND c.lineage_id OPERATOR(pg_catalog.=) $2
        LIMIT $3) l)";

Query select_duplicates = R"(
    SELECT c.* FROM terra_identity.connections c
    WHERE c.duplicate AND c.dev_id OPERATOR(pg_catalog.=) $1 AND c.provider OPERATOR(pg_catalog.=) $2
      AND c.provider_user_id OPERATOR(pg_catalog.=) $3
    ORDER BY c.dated DESC, c.connected_at DESC, c.user_id COLLATE "C" DESC LIMIT $4)";

Query count_duplicates = R"(
    SELECT pg_catalog.count(*) FROM (
        SELECT FROM terra_identity.connections c
        WHERE c.duplicate AND c.dev_id OPERATOR(pg_catalog.=) $1 AND c.provider OPERATOR(pg_catalog.=) $2
          AND c.provider_user_id OPERATOR(pg_catalog.=) $3
        LIMIT $4) d)";

// An account without duplicates has at most one active connection.
Query select_active_on_account = R"(
    SELECT c.* FROM terra_identity.connections c
    WHERE c.status OPERATOR(pg_catalog.=) 'active' AND NOT c.account_unusable
      AND c.dev_id OPERATOR(pg_catalog.=) $1 AND c.provider OPERATOR(pg_catalog.=) $2
      AND c.provider_user_id OPERATOR(pg_catalog.=) $3
    LIMIT 1)";

Query select_taken_over = R"(
    SELECT c.* FROM terra_identity.connections c
    WHERE c.account_exclusive AND c.successor_user_id OPERATOR(pg_catalog.=) $2 AND c.dev_id OPERATOR(pg_catalog.=) $1
      AND c.status OPERATOR(pg_catalog.=) 'superseded'
    LIMIT $3)";

constexpr std::uint64_t most_oldest_events = 100;
constexpr std::uint64_t most_newest_events = 900;

Query select_oldest_events = R"(
    SELECT e.event_id, e.received_at, e.payload, e.headers, e.entered_by,
           e.payload OPERATOR(pg_catalog.#>>) '{correction,note}'
    FROM terra_identity.events e
    WHERE e.dev_id OPERATOR(pg_catalog.=) $1 AND e.user_id OPERATOR(pg_catalog.=) $2
      AND e.event_type OPERATOR(pg_catalog.=) $3 AND e.problem IS NULL
      AND (e.event_type OPERATOR(pg_catalog.<>) ALL ('{correction,import}') OR e.entered_by IS NOT NULL)
    ORDER BY e.event_time LIMIT 100)";

Query select_newest_events = R"(
    SELECT e.event_id, e.received_at, e.payload, e.headers, e.entered_by,
           e.payload OPERATOR(pg_catalog.#>>) '{correction,note}'
    FROM terra_identity.events e
    WHERE e.dev_id OPERATOR(pg_catalog.=) $1 AND e.user_id OPERATOR(pg_catalog.=) $2
      AND e.event_type OPERATOR(pg_catalog.=) $3 AND e.problem IS NULL
      AND (e.event_type OPERATOR(pg_catalog.<>) ALL ('{correction,import}') OR e.entered_by IS NOT NULL)
    ORDER BY e.event_time DESC LIMIT 900)";

// The next event type of a connection, in the order of bytes that the index has: one look-up for each type, however
// many events it has.
Query select_next_type = R"(
    SELECT e.event_type FROM terra_identity.events e
    WHERE e.dev_id OPERATOR(pg_catalog.=) $1 AND e.user_id OPERATOR(pg_catalog.=) $2
      AND e.event_type OPERATOR(pg_catalog.~>~) $3
    ORDER BY e.event_type USING OPERATOR(pg_catalog.~<~) LIMIT 1)";

Query select_first_event = R"(
    SELECT e.event_time FROM terra_identity.events e
    WHERE e.dev_id OPERATOR(pg_catalog.=) $1 AND e.user_id OPERATOR(pg_catalog.=) $2
      AND e.event_type OPERATOR(pg_catalog.=) $3 AND e.problem IS NULL AND e.entered_by IS NULL
    ORDER BY e.event_time LIMIT 1)";

Query select_last_event = R"(
    SELECT e.event_time, e.event_id FROM terra_identity.events e
    WHERE e.dev_id OPERATOR(pg_catalog.=) $1 AND e.user_id OPERATOR(pg_catalog.=) $2
      AND e.event_type OPERATOR(pg_catalog.=) $3 AND e.problem IS NULL AND e.entered_by IS NULL
    ORDER BY e.event_time DESC LIMIT 1)";

Query select_degraded = R"(
    SELECT v.degraded FROM terra_identity.current_connections v
    WHERE v.dev_id OPERATOR(pg_catalog.=) $1 AND v.user_id OPERATOR(pg_catalog.=) $2)";

Query select_corrected_as_same_person = R"(
    SELECT c.user_id FROM terra_identity.connections c
    WHERE c.dev_id OPERATOR(pg_catalog.=) $1 AND c.same_person_as OPERATOR(pg_catalog.=) $2
      AND c.same_person_as OPERATOR(pg_catalog.<>) ''
    LIMIT 20)";

Query select_contradictions = R"(
    SELECT v.last_at, v.sentence FROM terra_identity.contradictions v
    WHERE v.dev_id OPERATOR(pg_catalog.=) $1 AND v.user_id OPERATOR(pg_catalog.=) $2
    ORDER BY v.last_at, v.kind)";

Query select_environments = R"(
    SELECT c.dev_id FROM terra_identity.connections c
    WHERE c.user_id OPERATOR(pg_catalog.=) $2 AND c.dev_id OPERATOR(pg_catalog.<>) $1
    ORDER BY c.dev_id USING OPERATOR(pg_catalog.~<~) LIMIT 5)";

// OFFSET 0 keeps the planner from an index of all problems. A user_id without a connection has no other events.
Query select_problem = R"(
    SELECT FROM (SELECT e.problem FROM terra_identity.events e
                 WHERE e.dev_id OPERATOR(pg_catalog.=) $1 AND e.user_id OPERATOR(pg_catalog.=) $2 OFFSET 0) p
    WHERE p.problem IS NOT NULL LIMIT 1)";

// OFFSET 0 keeps the planner from reading a whole environment by its primary key.
Query select_user_ids_of_reference = R"(
    SELECT r.user_id FROM (SELECT c.dev_id, c.user_id FROM terra_identity.connections c
                           WHERE c.reference_id OPERATOR(pg_catalog.=) $2 OFFSET 0) r
    WHERE r.dev_id OPERATOR(pg_catalog.=) $1 LIMIT 5)";

constexpr int most_types = 64;

void append_connections(std::vector<Connection>& to, const SPITupleTable* found) {
    for (std::uint64_t i = 0, count = Query::rows(); i < count; ++i)
        to.push_back(connection_of(found->vals[i], found->tupdesc));
}

std::vector<Reauth> reauths_in(const SPITupleTable* found) {
    std::vector<Reauth> result;
    for (std::uint64_t i = 0, count = Query::rows(); i < count; ++i)
        result.push_back({string_of(pg::column(found, i, 1).value), string_of(pg::column(found, i, 2).value),
                          DatumGetBool(pg::column(found, i, 3).value)});
    return result;
}

} // namespace

ExplanationQueries::ExplanationQueries(std::string dev_id)
    : dev_id_(std::move(dev_id)), one_event_(call([] {
          return AllocSetContextCreate(CurrentMemoryContext, "terra_identity explanation", ALLOCSET_DEFAULT_SIZES);
      })) {
    Table events("events", AccessShareLock);
    if (caller_reads_all_but_payloads(events, dev_id_))
        reads_payloads_as_ = events.owner();
    events.close();
}

std::vector<Connection> ExplanationQueries::connections(const std::vector<std::string>& user_ids) {
    std::vector<Connection> result;
    for (const std::string& user_id : std::set<std::string>(user_ids.begin(), user_ids.end()))
        append_connections(result,
                           select_connection.run({text_parameter(dev_id_), text_parameter(user_id)}, Reads::statement));
    return result;
}

std::vector<Reauth> ExplanationQueries::reauths_from(const std::string& user_id) {
    return reauths_in(select_reauths_from.run({text_parameter(dev_id_), text_parameter(user_id)}, Reads::statement));
}

std::vector<Reauth> ExplanationQueries::reauths_to(const std::string& user_id) {
    return reauths_in(select_reauths_to.run({text_parameter(dev_id_), text_parameter(user_id)}, Reads::statement));
}

SomeConnections ExplanationQueries::lineage(std::int64_t lineage_id, std::size_t limit) {
    SomeConnections result;
    for (const Status status : {Status::active, Status::superseded, Status::replaced, Status::deauthenticated,
                                Status::revoked, Status::failed})
        append_connections(result.newest, select_lineage.run({text_parameter(dev_id_), id_parameter(lineage_id),
                                                              text_parameter(std::string(to_string(status))),
                                                              id_parameter(static_cast<std::int64_t>(limit))},
                                                             Reads::statement));
    std::sort(result.newest.begin(), result.newest.end(),
              [](const Connection& a, const Connection& b) { return is_older(b, a); });
    const SPITupleTable* const counted = count_lineage.run(
        {text_parameter(dev_id_), id_parameter(lineage_id), id_parameter(SomeConnections::most_counted)},
        Reads::statement);
    result.count = DatumGetInt64(pg::column(counted, 0, 1).value);
    return result;
}

SomeConnections ExplanationQueries::active_on(const Account& account, std::size_t limit) {
    SomeConnections result;
    const Query::Parameter dev_id = text_parameter(dev_id_), provider = text_parameter(account.provider),
                           id = text_parameter(account.provider_user_id);
    append_connections(result.newest,
                       select_duplicates.run({dev_id, provider, id, id_parameter(static_cast<std::int64_t>(limit))},
                                             Reads::statement));
    if (result.newest.empty())
        append_connections(result.newest, select_active_on_account.run({dev_id, provider, id}, Reads::statement));
    result.count = static_cast<std::int64_t>(result.newest.size());
    if (result.newest.size() == limit) {
        const SPITupleTable* const counted =
            count_duplicates.run({dev_id, provider, id, id_parameter(SomeConnections::most_counted)}, Reads::statement);
        result.count = DatumGetInt64(pg::column(counted, 0, 1).value);
    }
    return result;
}

std::vector<Connection> ExplanationQueries::taken_over_by(const std::string& user_id, std::size_t limit) {
    std::vector<Connection> result;
    append_connections(result, select_taken_over.run({text_parameter(dev_id_), text_parameter(user_id),
                                                      id_parameter(static_cast<std::int64_t>(limit))},
                                                     Reads::statement));
    return result;
}

std::vector<LedgerEvent> ExplanationQueries::events(Query& query, const std::string& user_id, const std::string& type) {
    if (!OidIsValid(reads_payloads_as_))
        return read(query, user_id, type);
    std::vector<LedgerEvent> result;
    as_owner_by_index(reads_payloads_as_, [&] { result = read(query, user_id, type); });
    return result;
}

std::vector<LedgerEvent> ExplanationQueries::read(Query& query, const std::string& user_id, const std::string& type) {
    SPITupleTable* const found =
        query.run({text_parameter(dev_id_), text_parameter(user_id), text_parameter(type)}, Reads::statement);
    std::vector<LedgerEvent> result;
    for (std::uint64_t i = 0, count = Query::rows(); i < count; ++i) {
        check_for_interrupts();
        const MemoryContext caller = MemoryContextSwitchTo(one_event_);
        const NullableValue entered_by = pg::column(found, i, 5), note = pg::column(found, i, 6);
        LedgerEvent& one = result.emplace_back();
        one.event_id = DatumGetInt64(pg::column(found, i, 1).value);
        one.event = event_of(pg::column(found, i, 2).value, pg::column(found, i, 3).value, pg::column(found, i, 4),
                             !entered_by.is_null);
        one.entered_by = entered_by.is_null ? "" : string_of(entered_by.value);
        one.note = note.is_null ? "" : string_of(note.value);
        MemoryContextSwitchTo(caller);
        call([this] { MemoryContextReset(one_event_); });
    }
    call([found] { SPI_freetuptable(found); });
    return result;
}

SomeEvents ExplanationQueries::identity_events(const std::string& user_id, const std::string& type) {
    SomeEvents result;
    result.events = events(select_oldest_events, user_id, type);
    if (result.events.size() < most_oldest_events)
        return result;
    std::set<std::int64_t> known;
    for (const LedgerEvent& one : result.events)
        known.insert(one.event_id);
    std::vector<LedgerEvent> newest = events(select_newest_events, user_id, type);
    result.complete = newest.size() < most_newest_events || known.contains(newest.back().event_id);
    for (auto one = newest.rbegin(); one != newest.rend(); ++one)
        if (!known.contains(one->event_id))
            result.events.push_back(std::move(*one));
    return result;
}

std::vector<PassingEvents> ExplanationQueries::passing_events(const std::string& user_id) {
    std::vector<PassingEvents> result;
    std::string type;
    for (int i = 0; i < most_types; ++i) {
        const Query::Parameter dev_id = text_parameter(dev_id_), id = text_parameter(user_id);
        const SPITupleTable* const next = select_next_type.run({dev_id, id, text_parameter(type)}, Reads::statement);
        if (Query::rows() == 0)
            break;
        type = string_of(pg::column(next, 0, 1).value);
        if (is_identity(kind_of_type(type)))
            continue;
        const Query::Parameter of_type = text_parameter(type);
        const SPITupleTable* const first = select_first_event.run({dev_id, id, of_type}, Reads::statement);
        if (Query::rows() == 0)
            continue;
        PassingEvents& passing = result.emplace_back();
        passing.type = type;
        passing.first = micros_of(pg::column(first, 0, 1).value);
        const SPITupleTable* const last = select_last_event.run({dev_id, id, of_type}, Reads::statement);
        passing.last = micros_of(pg::column(last, 0, 1).value);
        passing.last_event_id = DatumGetInt64(pg::column(last, 0, 2).value);
    }
    return result;
}

std::vector<std::string> ExplanationQueries::corrected_as_same_person(const std::string& user_id) {
    return texts(select_corrected_as_same_person, user_id);
}

std::vector<Contradiction> ExplanationQueries::contradictions(const std::string& user_id) {
    const SPITupleTable* const found =
        select_contradictions.run({text_parameter(dev_id_), text_parameter(user_id)}, Reads::statement);
    std::vector<Contradiction> result;
    for (std::uint64_t i = 0, count = Query::rows(); i < count; ++i)
        result.push_back({micros_of(pg::column(found, i, 1).value), string_of(pg::column(found, i, 2).value)});
    return result;
}

bool ExplanationQueries::is_degraded(const std::string& user_id) {
    const SPITupleTable* const found =
        select_degraded.run({text_parameter(dev_id_), text_parameter(user_id)}, Reads::statement);
    return Query::rows() > 0 && DatumGetBool(pg::column(found, 0, 1).value);
}

std::vector<std::string> ExplanationQueries::texts(Query& query, const std::string& id) const {
    const SPITupleTable* const found = query.run({text_parameter(dev_id_), text_parameter(id)}, Reads::statement);
    std::vector<std::string> result;
    for (std::uint64_t i = 0, count = Query::rows(); i < count; ++i)
        result.push_back(string_of(pg::column(found, i, 1).value));
    std::sort(result.begin(), result.end());
    return result;
}

std::vector<std::string> ExplanationQueries::environments_of(const std::string& user_id) {
    return texts(select_environments, user_id);
}

bool ExplanationQueries::has_problem(const std::string& user_id) {
    select_problem.run({text_parameter(dev_id_), text_parameter(user_id)}, Reads::statement);
    return Query::rows() > 0;
}

std::vector<std::string> ExplanationQueries::user_ids_of_reference(const std::string& reference_id) {
    return texts(select_user_ids_of_reference, reference_id);
}

} // namespace terra_identity::tables
