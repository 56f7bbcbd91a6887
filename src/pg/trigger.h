// What a trigger function in C is given, and the checks of the trigger protocol, in PostgreSQL's own words.
#pragma once

#include "pg/datum.h"

namespace terra_identity::pg {

inline constexpr TriggerEvent any_operation = ~TriggerEvent{0};

inline constexpr const char* any_table = nullptr;

/// @param relation the table or view of the extension's that it may be fired for, or any_table
/// @param events when it may be fired: TRIGGER_EVENT_BEFORE, _ROW and the like, or'ed
/// @param operation TRIGGER_EVENT_INSERT and the like, or any_operation
/// @param wording the same in words, "BEFORE INSERT FOR EACH ROW"
TriggerData* trigger_data(FunctionCallInfo fcinfo, const char* relation, TriggerEvent events, TriggerEvent operation,
                          const char* wording);

/// The same for a trigger on a table of the application, AFTER INSERT: of each row, or of each statement with a
/// transition table.
TriggerData* trigger_data_after_insert(FunctionCallInfo fcinfo);

} // namespace terra_identity::pg
