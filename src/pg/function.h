// The functions of the module that SQL calls.
#pragma once

#include "pg/guard.h"
#include "pg/version.h"

/// Defines the function that SQL knows as `AS 'MODULE_PATHNAME', 'name'`. Its body follows in braces: ordinary C++,
/// which has `fcinfo`, returns a Datum and may throw. It runs only if the install script is of the module's version.
/// Not within an anonymous namespace, whose functions nobody can call.
#define PG_FUNCTION(name) PG_FUNCTION_AFTER(name, ::terra_identity::pg::need_script_of_this_version())

/// The same, but it runs with an install script of any version.
#define PG_FUNCTION_OF_ANY_VERSION(name) PG_FUNCTION_AFTER(name, (void)0)

#define PG_FUNCTION_AFTER(name, check)                                                                                 \
    static Datum name##_body(FunctionCallInfo fcinfo);                                                                 \
    extern "C" {                                                                                                       \
    PG_FUNCTION_INFO_V1(name);                                                                                         \
    PGDLLEXPORT Datum name(PG_FUNCTION_ARGS) {                                                                         \
        return ::terra_identity::pg::entry([fcinfo] {                                                                  \
            check;                                                                                                     \
            return name##_body(fcinfo);                                                                                \
        });                                                                                                            \
    }                                                                                                                  \
    }                                                                                                                  \
    static Datum name##_body([[maybe_unused]] FunctionCallInfo fcinfo)
