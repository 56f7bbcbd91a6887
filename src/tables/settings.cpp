#include "tables/settings.h"

#include "pg/server.h"

namespace terra_identity::tables {
namespace {

char* dev_id = nullptr;
bool strict = false;
bool progress = true;
bool notify = false;

} // namespace

void define_settings() {
    DefineCustomStringVariable("terra_identity.dev_id",
                               "The environment (environments.dev_id) of events and function calls that name none.",
                               nullptr, &dev_id, "default", PGC_USERSET, 0, nullptr, nullptr, nullptr);
    DefineCustomBoolVariable("terra_identity.strict", "Whether an event that is not what its type needs is an error.",
                             "If off, it is stored with a problem that says why, and changes nothing else.", &strict,
                             false, PGC_USERSET, 0, nullptr, nullptr, nullptr);
    DefineCustomBoolVariable("terra_identity.progress",
                             "Whether long work, such as rebuild(), tells every few seconds how far it has come.",
                             "It is told as INFO: how many rows are done, how fast, and about how long the rest takes.",
                             &progress, true, PGC_USERSET, 0, nullptr, nullptr, nullptr);
    DefineCustomBoolVariable("terra_identity.notify",
                             "Whether a transaction that adds rows to changes sends NOTIFY terra_identity.",
                             "Once for each transaction, without a payload: whoever listens then calls read_changes(). "
                             "It is off because the server lets transactions that send NOTIFY commit one by one.",
                             &notify, false, PGC_USERSET, 0, nullptr, nullptr, nullptr);
    MarkGUCPrefixReserved("terra_identity");
}

const char* setting_dev_id() { return dev_id != nullptr && dev_id[0] != '\0' ? dev_id : "default"; }

bool setting_strict() { return strict; }

bool setting_progress() { return progress; }

bool setting_notify() { return notify; }

} // namespace terra_identity::tables
