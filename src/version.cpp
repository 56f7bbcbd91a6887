// version, and the functions of earlier versions that are no more.
#include "pg/version.h"

#include "pg/datum.h"
#include "pg/function.h"
#include "pg/jsonb.h"
#include "tables/deliveries.h"

namespace terra_identity {

using namespace pg;
using namespace tables;

/// It answers whatever install script the database has: whoever asks may want to know why all others refuse.
PG_FUNCTION_OF_ANY_VERSION(terra_identity_version) { return text_of(module_version); }

/// A function that the install script of an earlier version names. CREATE FUNCTION must find it, so that pg_upgrade
/// brings a database of that version into a cluster that has this module only. A call says to update the extension.
#define FORMER_FUNCTION(name)                                                                                          \
    PG_FUNCTION(name) {                                                                                                \
        throw Error{"55000", #name " is a function of an earlier version of extension terra_identity"};                \
    }

/// For upgrade scripts: what `deliveries` keeps of a payload.
PG_FUNCTION(terra_identity_payload_hash) { return Int64GetDatum(hash_of(detoasted_jsonb(PG_GETARG_DATUM(0)))); }

// 0.1.0
FORMER_FUNCTION(terra_identity_follow_environment)
FORMER_FUNCTION(terra_identity_follow_rules)
FORMER_FUNCTION(terra_identity_forget_rules)
FORMER_FUNCTION(terra_identity_insert_environment)
FORMER_FUNCTION(terra_identity_insert_provider)

} // namespace terra_identity
