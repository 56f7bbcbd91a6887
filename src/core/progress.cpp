#include "core/progress.h"

#include <cmath>
#include <utility>

namespace terra_identity {
namespace {

/// "1,200,000"
std::string grouped(std::uint64_t number) {
    std::string text = std::to_string(number);
    for (std::size_t end = text.size(); end > 3; end -= 3)
        text.insert(end - 3, ",");
    return text;
}

/// "10 s", "3 min", "2 h": the time left is a guess, so one number is enough.
std::string rounded(double seconds) {
    if (seconds < 90)
        return std::to_string(std::lround(seconds)) + " s";
    if (seconds < 90.0 * 60)
        return std::to_string(std::lround(seconds / 60)) + " min";
    return grouped(static_cast<std::uint64_t>(std::llround(seconds / 3600))) + " h";
}

} // namespace

void Progress::begin(std::string rows, std::optional<std::uint64_t> total, Micros now) {
    rows_ = std::move(rows);
    total_ = total;
    begun_ = now;
}

std::optional<std::string> Progress::at(std::uint64_t done, Micros now) {
    if (!is_due(now))
        return std::nullopt;
    if (!total_ || *total_ < done) // a total that was wrong says nothing
        return sentence(done, "", 0, now);
    return sentence(done, " of " + grouped(*total_), static_cast<double>(done) / static_cast<double>(*total_), now);
}

std::optional<std::string> Progress::at(std::uint64_t done, double share, Micros now) {
    return is_due(now) ? std::optional(sentence(done, "", share, now)) : std::nullopt;
}

bool Progress::is_due(Micros now) {
    if (now < next_)
        return false;
    next_ = now + then_every;
    return true;
}

std::string Progress::sentence(std::uint64_t done, const std::string& of, double share, Micros now) const {
    std::string text = work_ + ": " + grouped(done) + of + " " + rows_;
    const bool has_share = share > 0 && share <= 1;
    if (has_share && of.empty())
        text += " (" + std::to_string(static_cast<int>(100 * share)) + " %)";
    const double seconds = static_cast<double>(now - begun_) / micros_per_second;
    if (seconds <= 0 || done == 0)
        return text;
    text += ", " + grouped(static_cast<std::uint64_t>(std::llround(static_cast<double>(done) / seconds))) + "/s";
    if (has_share)
        text += ", about " + rounded(seconds * (1 - share) / share) + " left";
    return text;
}

} // namespace terra_identity
