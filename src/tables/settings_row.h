// The rows of `environment_settings` and `provider_settings`.
#pragma once

#include "pg/guard.h"

namespace terra_identity::tables {

using namespace pg;

/// The columns of `environment_settings`, and of the view `environments`, in their order in sql/install/04_rules.sql,
/// counted from 1.
enum EnvironmentColumn : AttrNumber {
    environment_dev_id = 1,
    environment_account_policy,
    environment_signature_required,
    environment_signature_tolerance,
    environment_terra_dev_id,
    environment_on_duplicate,
    environment_store_data,
};

/// The columns of `provider_settings`, and of the view `providers`, in their order, counted from 1.
enum ProviderColumn : AttrNumber { provider_provider = 1, provider_sdk, provider_account_ids };

/// Marks rows that the extension itself inserts into the tables of settings, as long as an object of this class exists.
/// In such a row null, or the default, means that the column keeps its value. All other rows are complete: they come
/// from a restore.
class PartialSettings {
public:
    PartialSettings() { ++count; }
    ~PartialSettings() { --count; }
    PartialSettings(const PartialSettings&) = delete;
    PartialSettings& operator=(const PartialSettings&) = delete;

    static bool exist() { return count > 0; }

private:
    static inline int count = 0;
};

} // namespace terra_identity::tables
