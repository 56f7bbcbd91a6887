// The module's table of contents.
//
//   events.cpp        triggers of the ledger: an event on its way in
//   ingest.cpp        ingest, webhook and replay_rejected: deliveries as they come over HTTP
//   signing.cpp       signing secrets and verify_signature
//   environments.cpp  rules that change: edits of the views `environments` and `providers`, and what follows them
//   resolving.cpp     resolve, lineage_of and user_of
//   maintenance.cpp   rebuild and verify
#include "events.h"
#include "tables/environment.h"
#include "tables/ids.h"
#include "tables/known_connections.h"
#include "tables/locks.h"
#include "pg/relations.h"
#include "pg/row_writer.h"
#include "pg/settings.h"

#include "pg/guard.h"

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
    terra_identity::register_ledger();
}

} // extern "C"
