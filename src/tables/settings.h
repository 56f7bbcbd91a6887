// The extension's settings (GUCs).
#pragma once

namespace terra_identity::tables {

/// Defines the settings; called once, when the module is loaded.
void define_settings();

/// `terra_identity.dev_id`: the environment of what names none.
const char* setting_dev_id();

/// `terra_identity.strict`: an event with a problem is an error.
bool setting_strict();

/// `terra_identity.progress`: long work tells how far it has come.
bool setting_progress();

/// `terra_identity.notify`: who listens is told of rows in `changes`.
bool setting_notify();

} // namespace terra_identity::tables
