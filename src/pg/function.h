// The functions of the module that SQL calls.
#pragma once

#include "pg/guard.h"

/// Defines the function that SQL knows as `AS 'MODULE_PATHNAME', 'name'`. Its body follows in braces: ordinary C++,
/// which has `fcinfo`, returns a Datum and may throw. Not within an anonymous namespace, whose functions nobody can
/// call.
#define PG_FUNCTION(name)                                                                                              \
    static Datum name##_body(FunctionCallInfo fcinfo);                                                                 \
    extern "C" {                                                                                                       \
    PG_FUNCTION_INFO_V1(name);                                                                                         \
    PGDLLEXPORT Datum name(PG_FUNCTION_ARGS) {                                                                         \
        return ::terra_identity::pg::entry([fcinfo] { return name##_body(fcinfo); });                                  \
    }                                                                                                                  \
    }                                                                                                                  \
    static Datum name##_body([[maybe_unused]] FunctionCallInfo fcinfo)
