// The rules of an environment as its users set them, read under its lock.
#pragma once

#include "core/connection.h"

#include <string>

#include "pg/index_scan.h"

namespace terra_identity::pg {

/// The columns of `environments`, in their order in sql/install/04_rules.sql, counted from 1.
enum EnvironmentColumn : AttrNumber {
    environment_dev_id = 1,
    environment_account_policy,
    environment_signature_required,
    environment_signature_tolerance,
};

/// The environment that is meant: as given, else the setting. An error if that is no dev_id.
std::string dev_id_or_setting(const NullableValue& given);

/// Forgets the rules if this is one of their tables, or InvalidOid.
void forget_rules(Oid changed);

/// Has every backend read the rules again, once this transaction is committed.
void forget_rules_everywhere();

/// The account policy (`keep` without a row in `environments`) and the SDK providers.
Rules read_rules(const std::string& dev_id, Reads reads);

/// The same as they were committed last, read only if they have changed. Under the lock of the environment.
Rules remembered_rules(const std::string& dev_id);

} // namespace terra_identity::pg
