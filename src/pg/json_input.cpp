#include "pg/json_input.h"

#include "core/json.h"
#include "core/text.h"

extern "C" {
#include "mb/pg_wchar.h"
}

namespace terra_identity::pg {
namespace {

/// What is written out has to fit in 1 GB, or it could be stored but neither read nor dumped.
constexpr std::size_t max_digits = 256 << 20;

/// Whether an error of jsonb_in speaks of the input. The others tell what the server suffers.
bool is_about_input(const ErrorData& error) {
    const int category = ERRCODE_TO_CATEGORY(error.sqlerrcode);
    return category != ERRCODE_TO_CATEGORY(ERRCODE_TRANSACTION_ROLLBACK) &&
           category != ERRCODE_TO_CATEGORY(ERRCODE_INSUFFICIENT_RESOURCES) &&
           category != ERRCODE_TO_CATEGORY(ERRCODE_OPERATOR_INTERVENTION) &&
           category != ERRCODE_TO_CATEGORY(ERRCODE_SYSTEM_ERROR);
}

std::string problem_of(const ErrorData& error, const std::string& what) {
    if (error.sqlerrcode == ERRCODE_STATEMENT_TOO_COMPLEX)
        return "the JSON is nested too deeply";
    const std::string detail = error.detail != nullptr ? excerpt(error.detail) : "";
    if (error.sqlerrcode == ERRCODE_INVALID_TEXT_REPRESENTATION)
        return what + " is not JSON: " + (detail.empty() ? std::string(error.message) : detail);
    return "the JSON cannot be stored: " + std::string(error.message) + (detail.empty() ? "" : ". " + detail);
}

} // namespace

JsonInput read_jsonb(std::string_view bytes, const char* what) {
    // A NUL byte is none of UTF-8 to the server. Its strings have at most 1 GB.
    if (!call([=] { return pg_verify_mbstr(PG_UTF8, bytes.data(), static_cast<int>(bytes.size()), true); }))
        return {.problem = std::string(what) + " is not valid UTF-8"};
    JsonInput result;
    Datum& jsonb = result.jsonb;
    ErrorData* const error = attempt([bytes, &jsonb] {
        char* const text = pnstrdup(bytes.data(), bytes.size());
        jsonb = DirectFunctionCall1(jsonb_in, CStringGetDatum(text));
        pfree(text);
    });
    if (error == nullptr) {
        if (digits_of_exponents(bytes) > max_digits)
            result.problem = "the JSON cannot be stored: its numbers, written out, take more than 256 MB";
        return result;
    }
    if (!is_about_input(*error))
        throw ServerError{error};
    return {.problem = problem_of(*error, what)};
}

} // namespace terra_identity::pg
