#include "tables/progress.h"

#include <utility>

#include "pg/datum.h"
#include "pg/guard.h"
#include "tables/settings.h"

namespace terra_identity::tables {

using namespace pg;

namespace {

Micros now() { return micros_of(TimestampTzGetDatum(GetCurrentTimestamp())); }

/// INFO is always sent to the client, whatever client_min_messages is: whoever does not want it has a setting.
void tell(const std::optional<std::string>& sentence) {
    if (!sentence || !setting_progress())
        return;
    call([text = sentence->c_str()] { ereport(INFO, errmsg_internal("terra_identity: %s", text)); });
}

} // namespace

ToldProgress::ToldProgress(std::string work) : progress_(std::move(work), now()) {}

void ToldProgress::begin(std::string rows, std::optional<std::uint64_t> total) {
    progress_.begin(std::move(rows), total, now());
}

void ToldProgress::at(std::uint64_t done) { tell(progress_.at(done, now())); }

void ToldProgress::at(std::uint64_t done, double share) { tell(progress_.at(done, share, now())); }

} // namespace terra_identity::tables
