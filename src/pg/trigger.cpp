#include "pg/trigger.h"

#include <cstring>

namespace terra_identity::pg {
namespace {

[[noreturn]] void refuse(FunctionCallInfo fcinfo, const std::string& reason) {
    const char* const name = call([fcinfo] { return get_func_name(fcinfo->flinfo->fn_oid); });
    throw Error{trigger_protocol, std::string("function \"") + name + "\" " + reason};
}

} // namespace

TriggerData* trigger_data(FunctionCallInfo fcinfo, const char* relation, TriggerEvent events, TriggerEvent operation,
                          const char* wording) {
    if (!CALLED_AS_TRIGGER(fcinfo))
        refuse(fcinfo, "was not called by trigger manager");
    auto* const trigger = reinterpret_cast<TriggerData*>(fcinfo->context);
    if ((trigger->tg_event & (TRIGGER_EVENT_ROW | TRIGGER_EVENT_TIMINGMASK)) != events ||
        (operation != any_operation && (trigger->tg_event & TRIGGER_EVENT_OPMASK) != operation))
        refuse(fcinfo, std::string("must be fired ") + wording);
    const bool is_ours = call([=, id = fcinfo->flinfo->fn_oid] {
        return RelationGetNamespace(trigger->tg_relation) == get_func_namespace(id) &&
               (relation == any_table || std::strcmp(RelationGetRelationName(trigger->tg_relation), relation) == 0);
    });
    if (!is_ours)
        refuse(fcinfo, "was fired for a table that it does not know");
    return trigger;
}

TriggerData* trigger_data_after_insert(FunctionCallInfo fcinfo) {
    if (!CALLED_AS_TRIGGER(fcinfo))
        refuse(fcinfo, "was not called by trigger manager");
    auto* const trigger = reinterpret_cast<TriggerData*>(fcinfo->context);
    if (!TRIGGER_FIRED_AFTER(trigger->tg_event) || !TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
        refuse(fcinfo, "must be fired AFTER INSERT");
    if (TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event) && trigger->tg_newtable == nullptr)
        refuse(fcinfo, "must be fired FOR EACH ROW or have a transition table");
    return trigger;
}

} // namespace terra_identity::pg
