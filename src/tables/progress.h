// Tells the client of long work every few seconds how far it has come, as INFO. `terra_identity.progress` silences it.
#pragma once

#include "core/progress.h"

#include <cstdint>
#include <optional>
#include <string>

namespace terra_identity::tables {

/// See core/progress.h. Both functions `at` are cheap enough for every row, and are to be called at least every 100 ms.
class ToldProgress {
public:
    /// Begins the work. @param work such as "rebuild"
    explicit ToldProgress(std::string work);

    /// Begins a step. @param rows what it counts, such as "events read"; @param total null if it is not known
    void begin(std::string rows, std::optional<std::uint64_t> total = {});

    /// @param done how many rows of the step are done
    void at(std::uint64_t done);

    /// The same, where the total is not known, but which share of the step is done, from 0 to 1.
    void at(std::uint64_t done, double share);

private:
    Progress progress_;
};

} // namespace terra_identity::tables
