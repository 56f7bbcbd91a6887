// The ledger's part in loading the module.
#pragma once

namespace terra_identity {

/// Lets an abort drop what its statements had collected. Called once, when the module is loaded.
void register_ledger();

} // namespace terra_identity
