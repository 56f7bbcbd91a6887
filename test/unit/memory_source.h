// An ExplanationSource in memory: the connections, reauths and events of a World.
#pragma once

#include "harness.h"

#include "core/explanation_source.h"

#include <map>
#include <string>
#include <vector>

namespace terra_identity::test {

/// Who made all corrections and imports, and how he knew.
inline constexpr const char* corrector = "support";
inline constexpr const char* correction_note = "she called";

class MemorySource : public ExplanationSource {
public:
    /// The event_ids are 1, 2, 3, ... in the order of the ledger.
    explicit MemorySource(World& world);

    std::vector<Connection> connections(const std::vector<std::string>& user_ids) override;
    std::vector<Reauth> reauths_from(const std::string& user_id) override;
    std::vector<Reauth> reauths_to(const std::string& user_id) override;
    SomeConnections lineage(std::int64_t lineage_id, std::size_t limit) override;
    SomeConnections active_on(const Account& account, std::size_t limit) override;
    std::vector<Connection> taken_over_by(const std::string& user_id, std::size_t limit) override;
    SomeEvents identity_events(const std::string& user_id, const std::string& type) override;
    std::vector<std::string> corrected_as_same_person(const std::string& user_id) override;
    std::vector<PassingEvents> passing_events(const std::string& user_id) override;
    std::vector<Contradiction> contradictions(const std::string&) override { return found_contradictions; }
    bool is_degraded(const std::string& user_id) override;
    std::vector<std::string> environments_of(const std::string&) override { return environments; }
    bool has_problem(const std::string&) override { return problem; }
    std::vector<std::string> user_ids_of_reference(const std::string& reference_id) override;

    const std::map<std::string, Connection>& stored() const { return stored_; }
    const std::vector<Event>& ledger() const { return ledger_; }

    /// What is known of a user_id that no connection has.
    std::vector<std::string> environments;
    bool problem = false;

    /// What the view `contradictions` has of every connection.
    std::vector<Contradiction> found_contradictions;

    /// Whether events are hidden, as by row level security.
    bool hides_events = false;

private:
    std::map<std::string, Connection> stored_;
    std::vector<Reauth> reauths_;
    std::vector<Event> ledger_;
};

} // namespace terra_identity::test
