// Progress: what is to be said, and when, about work that takes long: how many rows are done, how fast, and how long
// the rest will take.
#pragma once

#include "core/time.h"

#include <cstdint>
#include <optional>
#include <string>

namespace terra_identity {

/// The work consists of steps, one after another. It is told how far the step in progress has come, as often as one
/// likes, and answers with a sentence when one is due: two seconds after the work began, and then every five.
class Progress {
public:
    static constexpr Micros first_after = 2 * micros_per_second;
    static constexpr Micros then_every = 5 * micros_per_second;

    /// @param work what is done, such as "rebuild"
    Progress(std::string work, Micros now) : work_(std::move(work)), next_(now + first_after) {}

    /// Begins a step. @param rows what it counts, such as "events read"; @param total how many there will be, null if
    /// that is not known
    void begin(std::string rows, std::optional<std::uint64_t> total, Micros now);

    /// "rebuild: 1,200,000 of 5,000,000 events read, 400,000/s, about 10 s left". Without a total neither that nor the
    /// time left is told.
    /// @param done how many rows of the step are done
    std::optional<std::string> at(std::uint64_t done, Micros now);

    /// "rebuild: 1,200,000 events read (24 %), 400,000/s, about 10 s left", where it is known which share of the step
    /// is done, though not how many rows it has.
    /// @param share of the step, from 0 to 1
    std::optional<std::string> at(std::uint64_t done, double share, Micros now);

private:
    bool is_due(Micros now);
    std::string sentence(std::uint64_t done, const std::string& of, double share, Micros now) const;

    std::string work_;
    std::string rows_;
    std::optional<std::uint64_t> total_;
    Micros begun_ = 0; ///< the step
    Micros next_;      ///< when the next sentence is due
};

} // namespace terra_identity
