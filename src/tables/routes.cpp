#include "tables/routes.h"

#include "core/text.h"

#include <utility>
#include <vector>

#include "pg/query.h"
#include "pg/relations.h"
#include "tables/locks.h"
#include "tables/rule_memory.h"
#include "tables/settings.h"
#include "tables/settings_row.h"

namespace terra_identity::tables {

using namespace pg;

namespace {

/// The queries on `environment_settings` that a route needs.
class Environments {
public:
    Environments() : table_("environment_settings", AccessShareLock) {}

    bool has(const std::string& dev_id) const { return !rows("environment_settings_pkey", dev_id).empty(); }

    std::optional<std::string> terra_dev_id_of(const std::string& dev_id) const {
        for (const HeapTuple row : rows("environment_settings_pkey", dev_id))
            if (const NullableValue found = attribute(row, table_.columns(), environment_terra_dev_id); !found.is_null)
                return string_of(found.value);
        return std::nullopt;
    }

    std::optional<std::string> with_terra_dev_id(const std::string& terra_dev_id) const {
        for (const HeapTuple row : rows("environment_settings_terra_dev_id_key", terra_dev_id))
            return string_of(attribute(row, table_.columns(), environment_dev_id).value);
        return std::nullopt;
    }

    void close() { table_.close(); }

private:
    std::vector<HeapTuple> rows(const char* index, const std::string& key) const {
        const IndexScan scan{.table = table_.relation(), .index = index, .limit = 1};
        return scan.fetch(IndexKeys().equals(key));
    }

    Table table_;
};

/// Inserts an environment. If it exists, the trigger on the table sets its `terra_dev_id` instead.
Query insert_environment = "INSERT INTO terra_identity.environment_settings (dev_id, terra_dev_id) VALUES ($1, $2)";

/// The dev_id of each remembered route, by the default dev_id, a zero byte, which no id has, and the header.
constinit Remembered<std::string> known_routes;

} // namespace

std::string dev_id_or_setting(const NullableValue& given) {
    std::string dev_id = given.is_null ? std::string(setting_dev_id()) : string_of(given.value);
    if (dev_id.empty() || dev_id.size() > max_id_bytes)
        throw Error{"22023", "invalid dev_id", "A dev_id has 1 to " + std::to_string(max_id_bytes) + " bytes."};
    return dev_id;
}

std::string dev_id_argument(const NullableValue& given) {
    if (given.is_null)
        throw Error{"22004", "dev_id must not be null", "", "Leave it out for the setting terra_identity.dev_id."};
    return dev_id_or_setting(given);
}

Route look_up_route(const std::string& default_dev_id, const std::string& header) {
    Environments environments;
    const std::optional<std::string> expected = environments.terra_dev_id_of(default_dev_id);
    Route route{.dev_id = default_dev_id, .default_dev_id = default_dev_id};
    if (expected != header && !(expected && header == default_dev_id)) {
        if (auto other = environments.with_terra_dev_id(header))
            route.dev_id = std::move(*other);
        else if (header != default_dev_id && environments.has(header))
            route.dev_id = header;
        else if (!expected)
            route.kind = Route::learning;
        else
            route = {.dev_id = header, .default_dev_id = default_dev_id, .kind = Route::making};
    }
    environments.close();
    route.by_header = route.dev_id != default_dev_id;
    return route;
}

Route route_of(const NullableValue& given, const std::optional<std::string>& header) {
    const std::string dev_id = dev_id_or_setting(given);
    Route route{.dev_id = dev_id, .default_dev_id = dev_id};
    if (!given.is_null || !header)
        return route;
    const std::string name = dev_id + '\0' + *header;
    if (const std::string* const known = known_routes.find(name))
        return {.dev_id = *known, .default_dev_id = dev_id, .by_header = *known != dev_id};
    const RuleReading reading;
    route = look_up_route(dev_id, *header);
    if (route.kind == Route::known)
        known_routes.remember(reading, name, route.dev_id);
    return route;
}

bool settle(const Route& route, const std::optional<std::string>& header) {
    if (route.kind == Route::known)
        return true;
    lock_settings(); // two concurrent first deliveries must not both become those of one environment
    Table table("environment_settings", RowExclusiveLock);
    const Route now = look_up_route(route.default_dev_id, *header);
    const bool is_same = now.dev_id == route.dev_id && now.kind == route.kind;
    const PartialSettings partial;
    if (is_same)
        as_definer(table.owner(), [&] {
            insert_environment.run({text_parameter(route.dev_id), text_parameter(*header)});
        });
    table.close();
    return is_same;
}

} // namespace terra_identity::tables
