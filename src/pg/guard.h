// The doors between C++ and PostgreSQL. No other code of the extension catches, or sets a jump.
//
//   pg::call(f)     runs f, which may raise a server error, and turns that into a C++ exception: no longjmp crosses a
//                   C++ object.
//   pg::entry(f)    runs f, which may throw, and turns what it throws into a server error: no exception leaves into the
//                   server.
//   pg::attempt(f)  calls f in a subtransaction: the one way to go on after a server error.
//
// A function of a namespace `raising` may raise a server error, as those of the server and of versions.h do: it is
// called within the lambda given to `call`, or by another such function, throws nothing and owns nothing that a jump
// could leak. All others may throw, and are not called within `call`, unless they only look at memory.
#pragma once

#include "core/fence.h"
#include "pg/errors.h"

#include <new>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "pg/server.h"

namespace terra_identity::pg {

/// A server error on its way through C++. Not a std::exception: only the abort that follows cleans up after it, so
/// nobody but `entry` and `attempt` may handle it.
struct ServerError {
    ErrorData* data;
};

[[noreturn]] void throw_server_error(MemoryContext context);

/// Calls the server. Whatever f and its result hold must not need a destructor: a jump would skip it.
template <class F>
auto call(F&& f) {
    using Function = std::remove_reference_t<F>;
    using Result = std::invoke_result_t<Function&>;
    static_assert(std::is_trivially_destructible_v<Function>);
    sigjmp_buf* const exception_stack = PG_exception_stack;
    ErrorContextCallback* const context_stack = error_context_stack;
    const MemoryContext memory_context = CurrentMemoryContext;
    sigjmp_buf here;
    if (sigsetjmp(here, 0) != 0) {
        PG_exception_stack = exception_stack;
        error_context_stack = context_stack;
        throw_server_error(memory_context);
    }
    PG_exception_stack = &here;
    if constexpr (std::is_void_v<Result>) {
        f();
        PG_exception_stack = exception_stack;
        error_context_stack = context_stack;
    } else {
        static_assert(std::is_trivially_destructible_v<Result>);
        Result result = f();
        PG_exception_stack = exception_stack;
        error_context_stack = context_stack;
        return result;
    }
}

/// Calls the server in a subtransaction. Null if that went well, else the error, and then all that f did is undone.
template <class F>
ErrorData* attempt(F&& f) {
    const MemoryContext memory_context = CurrentMemoryContext;
    const ResourceOwner resource_owner = CurrentResourceOwner;
    call([=] {
        BeginInternalSubTransaction(nullptr);
        MemoryContextSwitchTo(memory_context);
    });
    ErrorData* error = nullptr;
    try {
        call(f);
    } catch (const ServerError& raised) {
        error = raised.data;
    }
    call([=] {
        if (error == nullptr)
            ReleaseCurrentSubTransaction();
        else
            RollbackAndReleaseCurrentSubTransaction();
        MemoryContextSwitchTo(memory_context);
        CurrentResourceOwner = resource_owner;
    });
    return error;
}

/// What went wrong, in a form that a jump may cross.
struct Failure {
    ErrorData* server_error;
    char sqlstate[6];
    char message[1024];
    char detail[2048];
    char hint[512];
};

/// Fills in the failure that is being handled. To be called in a catch clause.
void describe_failure(Failure& failure) noexcept;

[[noreturn]] void raise(const Failure& failure);

template <class F>
[[gnu::noinline]] bool run(F& f, Datum& result, Failure& failure) noexcept {
    try {
        result = f();
        return true;
    } catch (...) {
        describe_failure(failure);
        return false;
    }
}

/// The body of every function that the server calls: f returns a Datum. This frame owns nothing, so that raising from
/// it leaks nothing.
template <class F>
Datum entry(F&& f) {
    static_assert(std::is_trivially_destructible_v<std::remove_reference_t<F>>);
    Datum result = 0;
    Failure failure;
    if (!run(f, result, failure))
        raise(failure);
    return result;
}

/// Lets a cancel, a timeout or a shutdown in. For loops that may run long.
inline void check_for_interrupts() {
    if (InterruptPending)
        call([] { CHECK_FOR_INTERRUPTS(); });
}

} // namespace terra_identity::pg
