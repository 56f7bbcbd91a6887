// The module's table of contents.
//
//   events.cpp        triggers of the ledger: an event on its way in
//   environments.cpp  triggers of `environments` and `providers`: rules that change
//   resolving.cpp     resolve, lineage_of and user_of
//   maintenance.cpp   rebuild and verify
#include "events.h"
#include "pg/environment.h"
#include "pg/known_connections.h"
#include "pg/locks.h"
#include "pg/relations.h"
#include "pg/row_writer.h"
#include "pg/settings.h"

#include "pg/guard.h"

extern "C" {

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void) {
    terra_identity::pg::define_settings();
    terra_identity::pg::register_relations();
    terra_identity::pg::register_row_writer();
    terra_identity::pg::register_rules();
    terra_identity::pg::register_locks();
    terra_identity::pg::register_known_connections();
    terra_identity::register_ledger();
}

} // extern "C"
