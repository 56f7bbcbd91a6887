// What the module's initialisation needs of the policies for readers.
#pragma once

namespace terra_identity {

/// Lets sessions notice who became a member of a role, or is none any more. To be called once, when the module is
/// loaded.
void register_readers();

} // namespace terra_identity
