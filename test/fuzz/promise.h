// Reports a promise that a fuzz target finds broken.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

/// Called by libFuzzer, or by replay.cpp, for each input. @return 0
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace terra_identity::fuzz {

/// Ends the process if a promise is not kept: libFuzzer and replay.cpp see that as a crash.
inline void promise(bool kept, const char* what, const std::string& detail = {}) {
    if (kept)
        return;
    std::fprintf(stderr, "NOT KEPT: %s\n%s\n", what, detail.c_str());
    std::abort();
}

} // namespace terra_identity::fuzz
