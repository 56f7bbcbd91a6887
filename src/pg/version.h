// The version of this module, and the check that the install script which the database has is of the same one.
#pragma once

namespace terra_identity::pg {

/// The version that this module was built as: default_version of the control file.
extern const char* const module_version;

/// Whether the install script that the database has is known to be of this version.
extern bool is_script_of_this_version;

/// Raises an error if it is of another version: its tables and functions are not those that this module knows. Asks the
/// catalogs. While the extension is being created or updated anything goes, because its script may call functions and
/// fire triggers at any step.
void check_script_version();

/// The check that every function makes first. It costs nothing once the answer is known, until a function or a relation
/// changes.
inline void need_script_of_this_version() {
    if (!is_script_of_this_version)
        check_script_version();
}

/// Makes the next call ask again.
void forget_script_version();

/// Registers what makes it ask again; called once, when the module is loaded.
void register_script_version();

} // namespace terra_identity::pg
