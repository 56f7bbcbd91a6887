#include "tables/rule_memory.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "pg/relations.h"

extern "C" {
#include "utils/inval.h"
}

namespace terra_identity::tables {

using namespace pg;

namespace {

struct RuleTable {
    const char* name;
    Oid oid; ///< InvalidOid until the table is first read
};

constinit std::array<RuleTable, 6> rule_tables{{{"environment_settings", InvalidOid},
                                                {"provider_settings", InvalidOid},
                                                {"signing_secrets", InvalidOid},
                                                {"tombstones", InvalidOid},
                                                {"tombstone_key", InvalidOid},
                                                {"readers", InvalidOid}}};
constinit std::uint64_t changes = 0;

/// Whether every session is notified of a change in the table, whoever changes it. A restore with --disable-triggers
/// turns the trigger that notifies them into an ordinary one, which replication does not fire. Then nothing is
/// remembered.
bool is_told(const Table& table) {
    const TriggerDesc* const triggers = table.relation()->trigdesc;
    for (int i = 0; triggers != nullptr && i < triggers->numtriggers; ++i)
        if (std::string_view(triggers->triggers[i].tgname) == "forget_rules")
            return triggers->triggers[i].tgenabled == TRIGGER_FIRES_ALWAYS;
    return false;
}

/// What a transaction has read of its own changes must not outlive their rollback, of which no invalidation tells.
void end_transaction(XactEvent event, void*) {
    if (event == XACT_EVENT_ABORT)
        ++changes;
}

void end_subtransaction(SubXactEvent event, SubTransactionId, SubTransactionId, void*) {
    if (event == SUBXACT_EVENT_ABORT_SUB)
        ++changes;
}

} // namespace

void register_rule_memory() {
    RegisterXactCallback(end_transaction, nullptr);
    RegisterSubXactCallback(end_subtransaction, nullptr);
}

std::uint64_t rule_changes() { return changes; }

void notice_rule_changes() {
    call([] { AcceptInvalidationMessages(); });
}

void forget_rules(Oid changed) {
    if (changed == InvalidOid ||
        std::any_of(rule_tables.begin(), rule_tables.end(), [=](const RuleTable& its) { return its.oid == changed; }))
        ++changes;
}

void forget_rules_everywhere() {
    for (const RuleTable& table : rule_tables) {
        const Oid oid = lock_relation(table.name, AccessShareLock);
        call([oid] { CacheInvalidateRelcacheByRelid(oid); });
    }
    forget_rules(InvalidOid); // the invalidation reaches this backend only when the command ends
}

RuleReading::RuleReading() : is_told_(true) {
    for (RuleTable& its : rule_tables) {
        Table table(its.name, AccessShareLock);
        its.oid = RelationGetRelid(table.relation());
        is_told_ = is_told_ && is_told(table);
        table.close();
    }
    changes_ = changes;
}

bool RuleReading::may_be_remembered() const { return is_told_ && changes_ == changes; }

} // namespace terra_identity::tables
