// The triggers' part in loading the module.
#pragma once

namespace terra_identity {

/// Lets an abort drop what its statements had collected. Called once, when the module is loaded.
void register_events();

} // namespace terra_identity
