#include "pg/trigger.h"

namespace terra_identity::pg {

TriggerData* trigger_data(FunctionCallInfo fcinfo, const char* function, TriggerEvent events, TriggerEvent operation,
                          const char* wording) {
    if (!CALLED_AS_TRIGGER(fcinfo))
        throw Error{trigger_protocol, std::string("function \"") + function + "\" was not called by trigger manager"};
    auto* const trigger = reinterpret_cast<TriggerData*>(fcinfo->context);
    if ((trigger->tg_event & (TRIGGER_EVENT_ROW | TRIGGER_EVENT_TIMINGMASK)) != events ||
        (operation != any_operation && (trigger->tg_event & TRIGGER_EVENT_OPMASK) != operation))
        throw Error{trigger_protocol, std::string("function \"") + function + "\" must be fired " + wording};
    return trigger;
}

} // namespace terra_identity::pg
