// Whose connections are erased, which of them stay under other names, and the tables other than the ledger.
#include "forgetting.h"

#include "core/json_tree.h"

#include <algorithm>
#include <utility>

#include "pg/jsonb.h"
#include "pg/query.h"
#include "tables/connection_row.h"
#include "tables/known_connections.h"
#include "tables/tombstones.h"

namespace terra_identity {

using namespace pg;
using namespace tables;

namespace {

/// All ids of an end user, as user_ids() has them: her connections, and those of their lineages that are of nobody,
/// unless the lineage has one of somebody else, too.
Query select_user_ids_of_reference = R"(
    SELECT c.user_id FROM terra_identity.connections c WHERE c.dev_id = $1 AND c.reference_id = $2
    UNION
    SELECT o.user_id FROM terra_identity.connections c
    JOIN terra_identity.connections o ON o.dev_id = c.dev_id AND o.lineage_id = c.lineage_id
    WHERE c.dev_id = $1 AND c.reference_id = $2 AND o.reference_id IS NULL
      AND NOT EXISTS (SELECT FROM terra_identity.connections x
                      WHERE x.dev_id = c.dev_id AND x.lineage_id = c.lineage_id AND x.reference_id <> $2))";

Query select_user_ids_of_lineage = R"(
    SELECT o.user_id, o.reference_id FROM terra_identity.connections c
    JOIN terra_identity.connections o ON o.dev_id = c.dev_id AND o.lineage_id = c.lineage_id
    WHERE c.dev_id = $1 AND c.user_id = $2)";

Query select_others_on_account = R"(
    SELECT c.user_id FROM terra_identity.connections c
    WHERE c.dev_id = $1 AND c.provider = $2 AND c.provider_user_id = $3 AND c.user_id <> ALL ($4) LIMIT 1)";

Query select_others_with_account = R"(
    SELECT FROM terra_identity.connections c
    WHERE c.dev_id = $1 AND c.provider_user_id = $2 AND c.user_id <> ALL ($3) LIMIT 1)";

Query select_rest_on_account = R"(
    SELECT c.user_id FROM terra_identity.connections c
    WHERE c.dev_id = $1 AND c.provider = $2 AND c.provider_user_id = $3 AND starts_with(c.user_id, $4))";

Query select_lineage = R"(
    SELECT c.user_id FROM terra_identity.connections c WHERE c.dev_id = $1 AND c.lineage_id = $2)";

/// Whom corrections link, or linked until they were taken back: their events name both.
Query select_corrections = R"(
    SELECT e.user_id, e.payload -> 'correction' ->> 'other_user_id' FROM terra_identity.events e
    WHERE e.dev_id = $1 AND e.event_id = ANY ($2) AND e.entered_by IS NOT NULL AND e.event_type = 'correction'
      AND e.payload -> 'correction' ->> 'other_user_id' IS NOT NULL)";

/// The connections that name one of hers as what replaced, superseded or continues them.
Query select_neighbours = R"(
    SELECT c.user_id FROM terra_identity.connections c
    WHERE c.dev_id = $1 AND c.successor_user_id = ANY ($2) AND c.account_exclusive
      AND c.successor_user_id IS NOT NULL
    UNION
    SELECT r.old_user_id FROM terra_identity.reauths r WHERE r.dev_id = $1 AND r.new_user_id = ANY ($2)
    UNION
    SELECT c.user_id FROM terra_identity.connections c
    WHERE c.dev_id = $1 AND c.same_person_as = ANY ($2) AND c.same_person_as <> '')";

/// Others who are as old as a connection of hers, where age decides: on its account, or replaced by the same one.
Query select_tie = R"(
    SELECT FROM terra_identity.connections h
    JOIN terra_identity.connections o
        ON o.dev_id = h.dev_id AND o.connected_at = h.connected_at AND o.dated = h.dated AND o.user_id <> h.user_id
    WHERE h.dev_id = $1 AND h.user_id = ANY ($2)
      AND ((o.provider = h.provider AND o.provider_user_id = h.provider_user_id)
        OR EXISTS (SELECT FROM terra_identity.reauths r JOIN terra_identity.reauths s
                       ON s.dev_id = r.dev_id AND s.new_user_id = r.new_user_id
                   WHERE r.dev_id = $1 AND r.old_user_id = h.user_id AND s.old_user_id = o.user_id))
    LIMIT 1)";

Query select_cycle = R"(
    SELECT FROM terra_identity.connections h WHERE h.dev_id = $1 AND h.user_id = ANY ($2) AND h.cyclic LIMIT 1)";

/// Connections that two user_reauths of one time name as old, one of them with a connection of hers as new.
Query select_forked = R"(
    SELECT FROM terra_identity.reauths r
    JOIN terra_identity.reauths s
        ON s.dev_id = r.dev_id AND s.old_user_id = r.old_user_id AND s.new_user_id <> r.new_user_id
    JOIN terra_identity.events e
        ON e.dev_id = r.dev_id AND e.user_id = r.new_user_id AND e.event_type = 'user_reauth'
    JOIN terra_identity.events f
        ON f.dev_id = s.dev_id AND f.user_id = s.new_user_id AND f.event_type = 'user_reauth'
        AND f.event_time = e.event_time
    WHERE r.dev_id = $1 AND r.new_user_id = ANY ($2) LIMIT 1)";

Query update_connection = R"(
    UPDATE terra_identity.connections c
    SET user_id = $3, reference_id = $4, provider_user_id = $5, own_provider_user_id = $6, successor_user_id = $7,
        replaced_by = $8, same_person_as = $9, user_uuid = CASE WHEN c.user_id = $3 THEN c.user_uuid END
    WHERE c.dev_id = $1 AND c.user_id = $2)";

Query delete_connections = "DELETE FROM terra_identity.connections c WHERE c.dev_id = $1 AND c.user_id = ANY ($2)";

Query delete_reauths = R"(
    DELETE FROM terra_identity.reauths r
    WHERE r.dev_id = $1 AND (r.old_user_id = ANY ($2) OR r.new_user_id = ANY ($2)))";

Query update_reauth = R"(
    UPDATE terra_identity.reauths r SET old_user_id = $4, new_user_id = $5
    WHERE r.dev_id = $1 AND r.old_user_id = $2 AND r.new_user_id = $3)";

Query delete_changes = "DELETE FROM terra_identity.changes c WHERE c.dev_id = $1 AND c.user_id = ANY ($2)";

/// The changes that name others than their own connection, or are of when it was hers.
Query select_changes = R"(
    SELECT c.change_id, c.reference_id, c.detail::text FROM terra_identity.changes c
    WHERE c.dev_id = $1 AND c.change_id > $2
      AND (c.reference_id = $3
           OR c.kind IN ('duplicate_opened', 'duplicate_closed', 'transferred', 'superseded', 'replaced',
                         'reconnected', 'reference_changed', 'anomaly'))
    ORDER BY c.change_id LIMIT 1000)";

Query update_change = R"(
    UPDATE terra_identity.changes c SET reference_id = $3, detail = $4::text::jsonb
    WHERE c.dev_id = $1 AND c.change_id = $2)";

Query delete_disconnects = "DELETE FROM terra_identity.disconnects d WHERE d.dev_id = $1 AND d.user_id = ANY ($2)";

Query select_disconnects = R"(
    SELECT d.disconnect_id, d.reference_id, d.last_error, d.other_user_ids FROM terra_identity.disconnects d
    WHERE d.dev_id = $1 AND (d.reference_id = $2 OR d.last_error IS NOT NULL OR d.other_user_ids && $3))";

Query update_disconnect = R"(
    UPDATE terra_identity.disconnects d SET reference_id = $3, last_error = $4, other_user_ids = $5
    WHERE d.dev_id = $1 AND d.disconnect_id = $2)";

Query delete_accepted_duplicate = R"(
    DELETE FROM terra_identity.accepted_duplicates a
    WHERE a.dev_id = $1 AND a.provider = $2 AND a.provider_user_id = $3)";

Query select_notes = R"(
    SELECT a.provider, a.provider_user_id, a.note FROM terra_identity.accepted_duplicates a
    WHERE a.dev_id = $1 AND a.note IS NOT NULL)";

Query update_note = R"(
    UPDATE terra_identity.accepted_duplicates a SET note = $4
    WHERE a.dev_id = $1 AND a.provider = $2 AND a.provider_user_id = $3)";

Query select_rejected = R"(
    SELECT r.rejected_id, r.body, r.headers::text FROM terra_identity.rejected r
    WHERE r.dev_id = $1 AND r.rejected_id > $2 ORDER BY r.rejected_id LIMIT 1)";

Query delete_rejected = "DELETE FROM terra_identity.rejected r WHERE r.dev_id = $1 AND r.rejected_id = $2";

std::int64_t written() { return static_cast<std::int64_t>(Query::rows()); }

std::optional<std::string> text_at(const SPITupleTable* rows, std::uint64_t row, int number) {
    const NullableValue value = pg::column(rows, row, number);
    return value.is_null ? std::nullopt : std::optional(string_of(value.value));
}

std::vector<std::string> texts_of(const SPITupleTable* rows) {
    std::vector<std::string> result;
    for (std::uint64_t row = 0, count = Query::rows(); row < count; ++row)
        result.push_back(string_of(pg::column(rows, row, 1).value));
    return result;
}

std::optional<std::string> value_of(const Register& written) {
    return written ? std::optional(written->value) : std::nullopt;
}

std::vector<std::string> elements_of(Datum array) {
    std::vector<std::string> result;
    Datum* elements = nullptr;
    bool* nulls = nullptr;
    int count = 0;
    call([&] {
        deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
    });
    for (int i = 0; i < count; ++i)
        result.push_back(nulls[i] ? "" : string_of(elements[i]));
    return result;
}

} // namespace

std::vector<std::string> user_ids_of(const Forgotten& who, const std::string& dev_id) {
    if (!who.reference_id.empty())
        return texts_of(select_user_ids_of_reference.run({text_parameter(dev_id), text_parameter(who.reference_id)}));
    const SPITupleTable* const lineage =
        select_user_ids_of_lineage.run({text_parameter(dev_id), text_parameter(who.user_id)});
    std::vector<std::string> user_ids{who.user_id};
    std::set<std::string> end_users;
    bool has_reference = false;
    for (std::uint64_t row = 0, count = Query::rows(); row < count; ++row) {
        std::string user_id = string_of(pg::column(lineage, row, 1).value);
        if (const auto reference_id = text_at(lineage, row, 2)) {
            end_users.insert(*reference_id);
            has_reference = has_reference || user_id == who.user_id;
        } else if (user_id != who.user_id) {
            user_ids.push_back(std::move(user_id));
        }
    }
    // Of a lineage of several end users, or of forgotten ones, forget() leaves what is of nobody.
    if (has_reference || (end_users.size() == 1 && !is_name_of_forgotten(*end_users.begin())))
        throw Error{"22023", "the connection is of an end user", "It, or another of its lineage, has a reference_id.",
                    "Call terra_identity.forget() with that reference_id."};
    return user_ids;
}

Forgetting::Forgetting(const Table& connections, std::string dev_id, Forgotten who, std::string key,
                       LedgerSearch& search)
    : table_(connections), store_(connections, dev_id), dev_id_(std::move(dev_id)), who_(std::move(who)),
      key_(std::move(key)), search_(search), progress_("forget") {}

const std::map<std::string, Erased>& Forgetting::erase() {
    find_connections();
    search_.read_rest(her_ids_);
    find_rest();
    rename_hers();
    find_ties();
    erase_events();
    erase_reauths();
    for (const std::string& user_id : former_)
        erase_events_of_her_time(user_id);
    erase_deliveries();
    erase_changes();
    erase_disconnects();
    erase_accepted_duplicates();
    erase_connections();
    erase_rejected();
    add_tombstones();
    forget_connections_everywhere();
    return erased_;
}

/// Finds her connections.
void Forgetting::find_connections() {
    her_ids_ = user_ids_of(who_, dev_id_);
    for (Connection& connection : store_.connections(her_ids_)) {
        member_of_.emplace(connection.user_id, members_.size());
        members_.push_back(std::move(connection));
    }
}

/// Finds which of her connections others depend on: those that are linked with another person's, by an account, a
/// user_reauth, a lineage or a correction, be it through others of hers. What earlier forget()s left is of nobody.
void Forgetting::find_rest() {
    const SPITupleTable* const corrections =
        select_corrections.run({text_parameter(dev_id_), ids_parameter(search_.found())});
    for (std::uint64_t row = 0, count = Query::rows(); row < count; ++row) {
        const std::string one = *text_at(corrections, row, 1), other = *text_at(corrections, row, 2);
        corrected_.emplace(one, other);
        corrected_.emplace(other, one);
    }
    stays_.assign(members_.size(), false);
    for (std::size_t member = 0; member < members_.size(); ++member)
        join_neighbours(member);
    // Whoever is linked with one that stays, stays too.
    for (bool changed = true; std::exchange(changed, false);)
        for (std::size_t member = 0; member < members_.size(); ++member)
            if (stays_[member])
                for (const std::size_t other : links_[member])
                    if (!stays_[other])
                        changed = stays_[other] = true;
    for (const Connection& member : members_)
        user_ids_.push_back(member.user_id);
}

/// Notes with whom a member is linked: with other members, among them what is left of others who were forgotten, or
/// with somebody else.
void Forgetting::join_neighbours(std::size_t member) {
    check_for_interrupts();
    const Connection connection = members_[member];
    const auto dev_id = text_parameter(dev_id_);
    std::set<std::string> linked;
    for (const Reauth& reauth : store_.reauths({connection.user_id}))
        linked.insert(reauth.old_user_id == connection.user_id ? reauth.new_user_id : reauth.old_user_id);
    const auto corrected = corrected_.equal_range(connection.user_id);
    for (auto other = corrected.first; other != corrected.second; ++other)
        linked.insert(other->second);
    for (std::string& other : texts_of(select_lineage.run({dev_id, id_parameter(connection.lineage_id)})))
        linked.insert(std::move(other));
    if (const auto account = connection.account()) {
        const auto provider = text_parameter(account->provider), id = text_parameter(account->provider_user_id);
        for (std::string& other : texts_of(
                 select_rest_on_account.run({dev_id, provider, id, text_parameter(std::string(forgotten_prefix))})))
            linked.insert(std::move(other));
        std::vector<std::string> known(linked.begin(), linked.end());
        for (const Connection& other : members_)
            if (other.account() == account)
                linked.insert(other.user_id);
            else
                known.push_back(other.user_id);
        known.insert(known.end(), linked.begin(), linked.end());
        for (std::string& other :
             texts_of(select_others_on_account.run({dev_id, provider, id, texts_parameter(known)})))
            linked.insert(std::move(other));
    }
    links_.resize(std::max(links_.size(), members_.size()));
    for (const std::string& user_id : linked) {
        if (!is_hers(user_id) && is_name_of_forgotten(user_id))
            for (Connection& rest : store_.connections({user_id})) {
                member_of_.emplace(user_id, members_.size());
                members_.push_back(std::move(rest));
                stays_.push_back(false);
                links_.emplace_back();
            }
        const auto other = member_of_.find(user_id);
        if (other == member_of_.end()) {
            stays_[member] = true;
        } else if (other->second != member) {
            links_[member].insert(other->second);
            links_[other->second].insert(member);
        }
    }
}

/// Whether somebody else has an account of this id, of whatever provider: one that is inherited need not be of the
/// same.
bool Forgetting::has_anybody_else(const std::string& provider_user_id) const {
    select_others_with_account.run(
        {text_parameter(dev_id_), text_parameter(provider_user_id), texts_parameter(user_ids_)});
    return Query::rows() > 0;
}

void Forgetting::rename_hers() {
    for (const std::string& user_id : her_ids_)
        names_.user_ids.emplace(user_id, new_name_of_forgotten());
    if (!who_.reference_id.empty())
        names_.reference_ids.emplace(who_.reference_id, new_name_of_forgotten());
    for (const Connection& member : members_)
        if (is_rest(member.user_id))
            for (const auto& account : {member.provider_user_id, value_of(member.facts.provider_user_id)})
                if (account && !is_name_of_forgotten(*account) && !names_.accounts.contains(*account) &&
                    !has_anybody_else(*account))
                    names_.accounts.emplace(*account, new_name_of_forgotten());
    const auto found = select_neighbours.run({text_parameter(dev_id_), texts_parameter(user_ids_)});
    for (std::string& user_id : texts_of(found))
        if (!is_hers(user_id))
            neighbours_.insert(std::move(user_id));
}

/// What user_ids decide between what is of one time may be decided otherwise by the names in their place.
void Forgetting::find_ties() {
    for (Query* const query : {&select_tie, &select_cycle, &select_forked}) {
        query->run({text_parameter(dev_id_), texts_parameter(user_ids_)});
        needs_rebuild_ = needs_rebuild_ || Query::rows() > 0;
    }
}

void Forgetting::erase_changes() {
    progress_.begin("changes read");
    const auto dev_id = text_parameter(dev_id_);
    Erased& erased = erased_["changes"];
    delete_changes.run({dev_id, texts_parameter(user_ids_)});
    erased.erased = written();
    std::uint64_t done = 0;
    for (std::int64_t last = 0;;) {
        SPITupleTable* const rows = select_changes.run({dev_id, id_parameter(last), text_parameter(who_.reference_id)});
        const std::uint64_t count = Query::rows();
        for (std::uint64_t row = 0; row < count; ++row) {
            check_for_interrupts();
            last = DatumGetInt64(pg::column(rows, row, 1).value);
            std::optional<std::string> reference_id = text_at(rows, row, 2), detail = text_at(rows, row, 3);
            bool changes = false;
            if (reference_id && names_.names_reference(*reference_id)) {
                reference_id = names_.reference_ids.at(*reference_id);
                changes = true;
            }
            if (detail)
                if (JsonTree json = JsonTree::parse(*detail); names_.rename(json)) {
                    detail = json.dump();
                    changes = true;
                }
            if (!changes)
                continue;
            update_change.run(
                {dev_id, id_parameter(last), nullable_text_parameter(reference_id), nullable_text_parameter(detail)});
            erased.changed += written();
        }
        call([rows] { SPI_freetuptable(rows); });
        progress_.at(done += count);
        if (count == 0)
            return;
    }
}

void Forgetting::erase_reauths() {
    const auto dev_id = text_parameter(dev_id_);
    Erased& erased = erased_["reauths"];
    std::vector<std::string> gone;
    for (const std::string& user_id : user_ids_)
        if (!is_rest(user_id))
            gone.push_back(user_id);
    delete_reauths.run({dev_id, texts_parameter(gone)});
    erased.erased = written();
    for (const Reauth& reauth : store_.reauths(user_ids_)) {
        const auto name = [this](const std::string& user_id) {
            const auto found = names_.user_ids.find(user_id);
            return text_parameter(found == names_.user_ids.end() ? user_id : found->second);
        };
        if (!names_.names_user(reauth.old_user_id) && !names_.names_user(reauth.new_user_id))
            continue;
        update_reauth.run({dev_id, text_parameter(reauth.old_user_id), text_parameter(reauth.new_user_id),
                           name(reauth.old_user_id), name(reauth.new_user_id)});
        erased.changed += written();
    }
}

void Forgetting::erase_connections() {
    const auto dev_id = text_parameter(dev_id_);
    Erased& erased = erased_["connections"];
    std::vector<std::string> gone;
    std::vector<Connection> changing = store_.connections({neighbours_.begin(), neighbours_.end()});
    for (const Connection& member : members_)
        if (!is_rest(member.user_id))
            gone.push_back(member.user_id);
        else
            changing.push_back(member);
    delete_connections.run({dev_id, texts_parameter(gone)});
    erased.erased = written();
    for (const Connection& before : changing) {
        check_for_interrupts();
        const Connection now = names_.renamed(before, is_hers(before.user_id));
        if (is_hers(before.user_id) && !now.facts.ended())
            rest_.push_back({now.user_id, std::max(now.facts.alive_at.value_or(INT64_MIN),
                                                   now.facts.first_seen_at.value_or(INT64_MIN))});
        if (now == before)
            continue;
        update_connection.run(
            {dev_id, text_parameter(before.user_id), text_parameter(now.user_id),
             nullable_text_parameter(now.reference_id()), nullable_text_parameter(now.provider_user_id),
             nullable_text_parameter(value_of(now.facts.provider_user_id)),
             nullable_text_parameter(now.successor_user_id), nullable_text_parameter(value_of(now.facts.replaced)),
             nullable_text_parameter(value_of(now.facts.same_person_as))});
        erased.changed += written();
    }
}

void Forgetting::erase_disconnects() {
    const auto dev_id = text_parameter(dev_id_);
    Erased& erased = erased_["disconnects"];
    delete_disconnects.run({dev_id, texts_parameter(user_ids_)});
    erased.erased = written();
    const SPITupleTable* const rows =
        select_disconnects.run({dev_id, text_parameter(who_.reference_id), texts_parameter(her_ids_)});
    for (std::uint64_t row = 0, count = Query::rows(); row < count; ++row) {
        check_for_interrupts();
        std::optional<std::string> reference_id = text_at(rows, row, 2), last_error = text_at(rows, row, 3);
        const NullableValue others = pg::column(rows, row, 4);
        std::vector<std::string> other_user_ids =
            others.is_null ? std::vector<std::string>() : elements_of(others.value);
        bool changes = false;
        if (reference_id && names_.names_reference(*reference_id)) {
            reference_id = names_.reference_ids.at(*reference_id);
            changes = true;
        }
        if (last_error)
            if (std::string text = names_.scrubbed(*last_error); text != *last_error) {
                last_error = std::move(text);
                changes = true;
            }
        for (std::string& user_id : other_user_ids)
            if (const auto name = names_.user_ids.find(user_id); name != names_.user_ids.end()) {
                user_id = name->second;
                changes = true;
            }
        if (!changes)
            continue;
        update_disconnect.run(
            {dev_id,
             {INT8OID, pg::column(rows, row, 1)},
             nullable_text_parameter(reference_id),
             nullable_text_parameter(last_error),
             {TEXTARRAYOID, others.is_null ? NullableValue() : texts_parameter(other_user_ids).value}});
        erased.changed += written();
    }
}

void Forgetting::erase_accepted_duplicates() {
    const auto dev_id = text_parameter(dev_id_);
    Erased& erased = erased_["accepted_duplicates"];
    for (const Connection& member : members_)
        for (const auto& account : {member.provider_user_id, value_of(member.facts.provider_user_id)})
            if (account && member.provider() && (names_.accounts.contains(*account) || !is_rest(member.user_id))) {
                delete_accepted_duplicate.run({dev_id, text_parameter(*member.provider()), text_parameter(*account)});
                erased.erased += written();
            }
    const SPITupleTable* const rows = select_notes.run({dev_id});
    for (std::uint64_t row = 0, count = Query::rows(); row < count; ++row) {
        const std::string note = *text_at(rows, row, 3), scrubbed = names_.scrubbed(note);
        if (scrubbed == note)
            continue;
        update_note.run({dev_id,
                         {TEXTOID, pg::column(rows, row, 1)},
                         {TEXTOID, pg::column(rows, row, 2)},
                         text_parameter(scrubbed)});
        erased.changed += written();
    }
}

void Forgetting::erase_rejected() {
    progress_.begin("rejected deliveries read");
    const auto dev_id = text_parameter(dev_id_);
    Erased& erased = erased_["rejected"];
    std::vector<std::string> ids = her_ids_;
    if (!who_.reference_id.empty())
        ids.push_back(who_.reference_id);
    std::uint64_t done = 0;
    for (std::int64_t last = 0;; progress_.at(++done)) {
        check_for_interrupts();
        SPITupleTable* const row = select_rejected.run({dev_id, id_parameter(last)});
        if (Query::rows() == 0)
            return;
        last = DatumGetInt64(pg::column(row, 0, 1).value);
        const std::string body = string_of(pg::column(row, 0, 2).value), headers = text_at(row, 0, 3).value_or("");
        call([row] { SPI_freetuptable(row); });
        if (std::none_of(ids.begin(), ids.end(),
                         [&](const std::string& id) { return mentions(body, id) || mentions(headers, id); }))
            continue;
        delete_rejected.run({dev_id, id_parameter(last)});
        erased.erased += written();
    }
}

void Forgetting::add_tombstones() {
    std::int64_t added = tables::add_tombstones(key_, dev_id_, IdKind::user, her_ids_);
    if (!who_.reference_id.empty())
        added += tables::add_tombstones(key_, dev_id_, IdKind::reference, {who_.reference_id});
    erased_["tombstones"].changed = added;
}

} // namespace terra_identity
