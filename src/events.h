// What the triggers of the ledger need when the module is loaded.
#pragma once

namespace terra_identity {

/// Registers callbacks that drop the collected news of an aborted transaction or subtransaction. Called once, when the
/// module is loaded.
void register_events();

} // namespace terra_identity
