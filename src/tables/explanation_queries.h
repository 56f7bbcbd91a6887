// ExplanationQueries: the ExplanationSource of one environment, with the privileges and the row security of the caller;
// but who may read everything else needs no privilege on payloads and headers, of which it tells only what they say of
// connections. Each question is answered by index, with a LIMIT.
#pragma once

#include "core/explanation_source.h"

#include <string>
#include <vector>

#include "pg/query.h"

namespace terra_identity::tables {

using namespace pg;

/// To be used within `as_caller_by_index`.
class ExplanationQueries : public ExplanationSource {
public:
    explicit ExplanationQueries(std::string dev_id);

    std::vector<Connection> connections(const std::vector<std::string>& user_ids) override;
    std::vector<Reauth> reauths_from(const std::string& user_id) override;
    std::vector<Reauth> reauths_to(const std::string& user_id) override;
    SomeConnections lineage(std::int64_t lineage_id, std::size_t limit) override;
    SomeConnections active_on(const Account& account, std::size_t limit) override;
    std::vector<Connection> taken_over_by(const std::string& user_id, std::size_t limit) override;
    SomeEvents identity_events(const std::string& user_id, const std::string& type) override;
    std::vector<std::string> corrected_as_same_person(const std::string& user_id) override;
    std::vector<PassingEvents> passing_events(const std::string& user_id) override;
    std::vector<Contradiction> contradictions(const std::string& user_id) override;
    bool is_degraded(const std::string& user_id) override;
    std::vector<std::string> environments_of(const std::string& user_id) override;
    bool has_problem(const std::string& user_id) override;
    std::vector<std::string> user_ids_of_reference(const std::string& reference_id) override;

private:
    std::vector<LedgerEvent> events(Query& query, const std::string& user_id, const std::string& type);
    std::vector<LedgerEvent> read(Query& query, const std::string& user_id, const std::string& type);
    std::vector<std::string> texts(Query& query, const std::string& id) const;

    std::string dev_id_;
    Oid reads_payloads_as_ = InvalidOid; ///< the owner of the ledger, for a caller who may not; else InvalidOid
    MemoryContext one_event_;            ///< its memory is freed before the next one, because there may be many
};

} // namespace terra_identity::tables
