#include "pg/version.h"

#include "pg/extension.h"

#include <string>
#include <string_view>

#include "pg/guard.h"
#include "pg/versions.h"

extern "C" {
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/syscache.h"
}

namespace terra_identity::pg {

const char* const module_version = EXTENSION_VERSION;

bool is_script_of_this_version = false;

namespace {

/// Syscache callback: every update of the extension replaces functions.
void forget_version(Datum, CatalogCache, uint32) { forget_script_version(); }

} // namespace

namespace raising {
namespace {

/// Whether the script that runs is the extension's own, to create or to update it.
bool is_own_script(Oid own) { return creating_extension && CurrentExtensionObject == own; }

/// The version of the install script. Null if the extension is being created or updated, or is not there.
const char* script_version(bool* is_there) {
    const Relation extensions = table_open(ExtensionRelationId, AccessShareLock);
    ScanKeyData key;
    ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ, CStringGetDatum(extension));
    const SysScanDesc scan = systable_beginscan(extensions, ExtensionNameIndexId, true, nullptr, 1, &key);
    const HeapTuple row = systable_getnext(scan);
    *is_there = HeapTupleIsValid(row);
    const char* version = nullptr;
    if (*is_there && !is_own_script(reinterpret_cast<Form_pg_extension>(GETSTRUCT(row))->oid)) {
        bool is_null = false;
        const Datum value = heap_getattr(row, Anum_pg_extension_extversion, RelationGetDescr(extensions), &is_null);
        version = TextDatumGetCString(value); // which is NOT NULL
    }
    systable_endscan(scan);
    table_close(extensions, AccessShareLock);
    return version;
}

} // namespace
} // namespace raising

void check_script_version() {
    bool is_there = false;
    const char* const version = call([&] { return raising::script_version(&is_there); });
    if (!is_there)
        throw Error{"55000", std::string("extension ") + extension + " is not installed in this database"};
    if (version == nullptr)
        return;
    if (std::string_view(version) != module_version)
        throw Error{"55000",
                    std::string("extension ") + extension + " has version " + version +
                        " in this database, and its library on the server has version " + module_version,
                    "A version works with its own tables and functions only.",
                    std::string("Run ALTER EXTENSION ") + extension +
                        " UPDATE. If that has been done since this session began, connect again."};
    is_script_of_this_version = true;
}

void forget_script_version() { is_script_of_this_version = false; }

void register_script_version() { CacheRegisterSyscacheCallback(PROCOID, forget_version, Datum{0}); }

} // namespace terra_identity::pg
