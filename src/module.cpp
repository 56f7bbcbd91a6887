// The module's table of contents: the functions that SQL calls.
//
//   events.cpp           triggers of the ledger `events`: an event on its way in, by INSERT or COPY
//   apply.cpp            what a statement's events say: lock, read, derive, write
//   ingest.cpp           ingest, webhook, replay_rejected: deliveries as they come over HTTP
//   receive.cpp          a delivery's way: its environment, its signature, the event; or why it is refused
//   signature_check.cpp  verify_signature, and the check that ingest makes
//   signing_secrets.cpp  set_signing_secret
//   rule_edits.cpp       edits of the views `environments` and `providers`
//   rule_changes.cpp     what follows when rules change
//   resolving.cpp        resolve, lineage_of, user_of
//   rebuild.cpp          rebuild, verify
#include "events.h"
#include "pg/guard.h"
#include "pg/relations.h"
#include "pg/row_writer.h"
#include "pg/settings.h"
#include "tables/ids.h"
#include "tables/known_connections.h"
#include "tables/locks.h"
#include "tables/rule_memory.h"

extern "C" {
#include "utils/inval.h"
}

namespace {

/// What the backend remembers of the catalogs and of the extension's tables follows their changes. One callback for
/// all: a backend has room for ten, of all its modules.
void forget(Datum, Oid relation) {
    terra_identity::pg::forget_relation(relation);
    terra_identity::pg::forget_table(relation);
    terra_identity::tables::forget_rules(relation);
    terra_identity::tables::forget_connections(relation);
}

} // namespace

extern "C" {

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void) {
    terra_identity::pg::define_settings();
    CacheRegisterRelcacheCallback(forget, Datum{0});
    terra_identity::tables::register_locks();
    terra_identity::tables::register_ids();
    terra_identity::register_events();
}

} // extern "C"
