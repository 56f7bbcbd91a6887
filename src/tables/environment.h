// The rules of an environment as its users set them, read under its lock.
#pragma once

#include "core/rules.h"

#include <functional>
#include <string>

#include "pg/index_scan.h"

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

/// The environment that is meant: as given, else the setting. An error if that is no dev_id.
std::string dev_id_or_setting(const NullableValue& given);

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

/// Where a delivery belongs (docs/rules.md, "Environment").
struct Route {
    enum Kind {
        known,    ///< to an environment that is there, or was named
        learning, ///< to the default environment, which learns from it what its deliveries' header says
        making,   ///< to an environment that is yet to be made, named as the header says
    };

    std::string dev_id;
    std::string default_dev_id = {}; ///< the environment that it would be of without a header
    Kind kind = known;
    bool by_header = false; ///< the header leads it away from the default environment
};

/// Where the header dev-id leads from a default environment.
Route look_up_route(const std::string& default_dev_id, const std::string& header);

/// The same from the default environment that the setting names, as this backend remembers it.
/// @param given the dev_id that it was given; null: none
/// @param header what its header dev-id says
Route route_of(const NullableValue& given, const std::optional<std::string>& header);

/// Makes the environment, or has it learn, as the route says. @return whether the route is still the same
bool settle(const Route& route, const std::optional<std::string>& header);

/// Whether nothing asks for signatures in an environment, as this backend remembers it; else as `asks` finds it, and if
/// it does not, that is remembered. `set_signing_secret` changes `environment_settings` too.
bool is_unsigned(const std::string& dev_id, const std::function<bool()>& asks);

/// Forgets the rules if this is one of their tables, or InvalidOid.
void forget_rules(Oid changed);

/// Has every backend read the rules again, once this transaction is committed.
void forget_rules_everywhere();

/// The account policy (`keep` without a row in `environment_settings`) and what is particular about providers.
Rules read_rules(const std::string& dev_id, Reads reads);

/// The same as they were committed last, read only if they have changed. Under the lock of the environment.
Rules remembered_rules(const std::string& dev_id);

} // namespace terra_identity::tables
