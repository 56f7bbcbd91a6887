// The rows of `environment_settings` and `provider_settings`.
#pragma once

#include "pg/guard.h"

namespace terra_identity::tables {

using namespace pg;

/// The columns of `environment_settings`, and of the view `environments`, in their order in sql/install/04_rules.sql,
/// counted from 1.
enum EnvironmentColumn : AttrNumber {
    environment_dev_id = 1,
    environment_terra_dev_id,
    environment_account_policy,
    environment_signature_required,
    environment_signature_tolerance,
};

/// The columns of `provider_settings` and `providers`, likewise.
enum ProviderColumn : AttrNumber { provider_provider = 1, provider_sdk, provider_account_ids };

/// While there is one, rows that are inserted into the tables of settings are the extension's own, and have null or the
/// default in what is to stay as it is. All others are whole: a restore's.
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
