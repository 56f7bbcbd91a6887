// The module's table of contents: which file has which of the functions that SQL calls.
//
//   events.cpp            triggers of the ledger `events`: reading events that are inserted, by INSERT or COPY
//   apply.cpp             applying the news of a statement: lock, read, derive, write
//   ingest.cpp            ingest, webhook, replay_rejected: deliveries as they come over HTTP
//   receive.cpp           how a delivery over HTTP is stored, rejected or refused
//   attached_tables.cpp   the trigger and the backfill of tables that attach() feeds from
//   signature_check.cpp   verify_signature, and the check that ingest makes
//   signing_secrets.cpp   set_signing_secret
//   rule_edits.cpp        edits of the views `environments` and `providers`
//   rule_changes.cpp      deriving connections again when rules change
//   readers.cpp           the policies of the tables: which rows a reader sees
//   resolving.cpp         resolve, lineage_of, user_of
//   reference_history.cpp reference_history, reference_at
//   explaining.cpp        explain, explain_graph
//   contradicting.cpp     what the view `contradictions` asks of a payload
//   correcting.cpp        correct
//   forget.cpp            forget, forget_user, remember, remember_user, set_tombstone_key
//   forgetting.cpp        whose connections are erased, and in which tables; the ledger: forgetting_ledger.cpp
//   feed.cpp              read_changes, commit_changes
//   disconnecting.cpp     take_disconnects, confirm_disconnect, fail_disconnect, and what follows when duplicates are
//                         accepted
//   rebuild.cpp           rebuild, verify
//   pruning.cpp           the batches of prune
//   version.cpp           version, and the functions of earlier versions that are no more
#include "core/interrupts.h"

#include "events.h"
#include "pg/guard.h"
#include "pg/relations.h"
#include "pg/row_writer.h"
#include "pg/version.h"
#include "readers.h"
#include "tables/ids.h"
#include "tables/known_connections.h"
#include "tables/locks.h"
#include "tables/rule_memory.h"
#include "tables/settings.h"

extern "C" {
#include "utils/inval.h"
}

namespace {

/// Relcache callback: forgets what the backend remembers of a changed table. One callback serves all caches, because a
/// backend has room for only ten, of all its modules.
void forget(Datum, Oid relation) {
    terra_identity::pg::forget_relation(relation);
    terra_identity::pg::forget_table(relation);
    terra_identity::pg::forget_script_version();
    terra_identity::tables::forget_rules(relation);
    terra_identity::tables::forget_connections(relation);
}

} // namespace

extern "C" {

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void) {
    terra_identity::tables::define_settings();
    CacheRegisterRelcacheCallback(forget, Datum{0});
    terra_identity::pg::register_script_version();
    terra_identity::tables::register_locks();
    terra_identity::tables::register_ids();
    terra_identity::tables::register_rule_memory();
    terra_identity::register_readers();
    terra_identity::register_events();
    terra_identity::interrupts = {&InterruptPending, terra_identity::pg::check_for_interrupts};
}

} // extern "C"
