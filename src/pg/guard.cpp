#include "pg/guard.h"

#include <algorithm>
#include <cstring>

namespace terra_identity::pg {
namespace {

/// Copies what fits, never cutting a UTF-8 character in two.
template <std::size_t N>
void copy(char (&to)[N], const char* from, std::size_t size) {
    if (size > N - 1) {
        size = N - 1;
        while (size > 0 && (static_cast<unsigned char>(from[size]) & 0xC0) == 0x80)
            --size;
    }
    std::memcpy(to, from, size);
    to[size] = '\0';
}

template <std::size_t N>
void copy(char (&to)[N], const char* from) {
    copy(to, from, std::strlen(from));
}

void describe(Failure& failure, const char* sqlstate, const char* message) {
    copy(failure.sqlstate, sqlstate);
    copy(failure.message, message);
}

} // namespace

namespace {

/// For when there is no memory to copy an error to. Literals: nothing of it is ever freed.
ErrorData* out_of_memory() {
    static ErrorData error{};
    static char message[] = "out of memory", detail[] = "Failed while copying another error.";
    error.elevel = ERROR;
    error.output_to_server = error.output_to_client = true;
    error.sqlerrcode = ERRCODE_OUT_OF_MEMORY;
    error.message = message;
    error.detail = detail;
    error.assoc_context = ErrorContext;
    return &error;
}

/// Copying allocates, and may itself fail: that jump must not go past the C++ frames outside.
ErrorData* copy_error() {
    sigjmp_buf* const exception_stack = PG_exception_stack;
    ErrorContextCallback* const context_stack = error_context_stack;
    ErrorData* volatile data = nullptr;
    sigjmp_buf here;
    if (sigsetjmp(here, 0) == 0) {
        PG_exception_stack = &here;
        data = CopyErrorData();
    }
    PG_exception_stack = exception_stack;
    error_context_stack = context_stack;
    return data != nullptr ? data : out_of_memory();
}

} // namespace

void throw_server_error(MemoryContext context) {
    MemoryContextSwitchTo(context);
    ErrorData* const data = copy_error();
    MemoryContextSwitchTo(context);
    FlushErrorState();
    throw ServerError{data};
}

void describe_failure(Failure& failure) noexcept {
    failure.server_error = nullptr;
    failure.detail[0] = failure.hint[0] = '\0';
    try {
        throw;
    } catch (const ServerError& error) {
        failure.server_error = error.data;
    } catch (const Error& error) {
        describe(failure, error.sqlstate, error.message.c_str());
        copy(failure.detail, error.detail.data(), error.detail.size());
        copy(failure.hint, error.hint.data(), error.hint.size());
    } catch (const std::bad_alloc&) {
        describe(failure, "53200", "out of memory");
    } catch (const std::exception& error) {
        describe(failure, internal, error.what());
    } catch (...) {
        describe(failure, internal, "an unknown exception was thrown");
    }
}

void raise(const Failure& failure) {
    if (failure.server_error != nullptr)
        ReThrowError(failure.server_error);
    const char* const s = failure.sqlstate;
    ereport(ERROR, (errcode(MAKE_SQLSTATE(s[0], s[1], s[2], s[3], s[4])), errmsg("%s", failure.message),
                    failure.detail[0] != '\0' ? errdetail("%s", failure.detail) : 0,
                    failure.hint[0] != '\0' ? errhint("%s", failure.hint) : 0));
    pg_unreachable();
}

} // namespace terra_identity::pg
