#include "tables/ledger_edits.h"

#include <utility>

#include "pg/guard.h"

extern "C" {
#include "utils/fmgrprotos.h"
}

namespace terra_identity::tables {

using namespace pg;

namespace {

LedgerEdits* innermost = nullptr;

int trigger_depth() {
    return call([] {
        LOCAL_FCINFO(info, 0);
        InitFunctionCallInfoData(*info, nullptr, 0, InvalidOid, nullptr, nullptr);
        return DatumGetInt32(pg_trigger_depth(info));
    });
}

} // namespace

LedgerEdits::LedgerEdits() : depth_(trigger_depth()), outer_(std::exchange(innermost, this)) {}

LedgerEdits::~LedgerEdits() { innermost = outer_; }

bool LedgerEdits::allow_this() { return innermost != nullptr && trigger_depth() == innermost->depth_ + 1; }

} // namespace terra_identity::tables
