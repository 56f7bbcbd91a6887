#include "core/time.h"

#include "core/text.h"

#include <chrono>
#include <string>

namespace terra_identity {
namespace {

/// Reads a text from left to right. Every method returns whether the text continues as expected.
class Scanner {
public:
    explicit Scanner(std::string_view text) : rest_(text) {}

    bool at_end() const { return rest_.empty(); }

    bool accept(char expected) {
        if (rest_.empty() || rest_.front() != expected)
            return false;
        rest_.remove_prefix(1);
        return true;
    }

    bool digits(int count, int& value) {
        if (rest_.size() < static_cast<std::size_t>(count))
            return false;
        value = 0;
        for (int i = 0; i < count; ++i) {
            const char c = rest_[static_cast<std::size_t>(i)];
            if (c < '0' || c > '9')
                return false;
            value = value * 10 + (c - '0');
        }
        rest_.remove_prefix(static_cast<std::size_t>(count));
        return true;
    }

    bool next_is_digit() const { return !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9'; }

private:
    std::string_view rest_;
};

bool read_date(Scanner& in, std::int64_t& days) {
    int year = 0, month = 0, day = 0;
    if (!in.digits(4, year) || !in.accept('-') || !in.digits(2, month) || !in.accept('-') || !in.digits(2, day))
        return false;
    const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                           std::chrono::day(static_cast<unsigned>(day))};
    days = std::chrono::sys_days(date).time_since_epoch().count();
    return year > 0 && date.ok();
}

/// Reads a fraction of a second, of any number of digits, as whole microseconds.
bool read_fraction(Scanner& in, Micros& fraction) {
    if (!in.next_is_digit())
        return false;
    Micros unit = micros_per_second / 10;
    for (int digit = 0; in.digits(1, digit); unit /= 10)
        fraction += unit * digit;
    return true;
}

bool read_time_of_day(Scanner& in, Micros& time) {
    int hour = 0, minute = 0, second = 0;
    if (!in.digits(2, hour) || !in.accept(':') || !in.digits(2, minute))
        return false;
    Micros fraction = 0;
    if (in.accept(':')) {
        if (!in.digits(2, second))
            return false;
        if (in.accept('.') && !read_fraction(in, fraction))
            return false;
    }
    if (hour > 23 || minute > 59 || second > 59)
        return false;
    time = (hour * 3600 + minute * 60 + second) * micros_per_second + fraction;
    return true;
}

bool read_zone(Scanner& in, Micros& offset) {
    offset = 0;
    if (in.at_end() || in.accept('Z'))
        return true;
    const bool east = in.accept('+');
    if (!east && !in.accept('-'))
        return false;
    int hours = 0, minutes = 0;
    if (!in.digits(2, hours))
        return false;
    const bool colon = in.accept(':');
    if ((colon || !in.at_end()) && !in.digits(2, minutes))
        return false;
    if (hours > 23 || minutes > 59)
        return false;
    offset = (hours * 3600 + minutes * 60) * micros_per_second * (east ? 1 : -1);
    return true;
}

/// The first and the last day that std::chrono can represent as a date. `received_at` may be later.
constexpr std::chrono::sys_days first_day{std::chrono::year::min() / std::chrono::January / 1};
constexpr std::chrono::sys_days last_day{std::chrono::year::max() / std::chrono::December / 31};

} // namespace

std::optional<Micros> parse_iso8601(std::string_view text) {
    Scanner in(trim(text));
    std::int64_t days = 0;
    Micros time = 0, offset = 0;
    if (!read_date(in, days) || !(in.accept('T') || in.accept(' ')))
        return std::nullopt;
    if (!read_time_of_day(in, time) || !read_zone(in, offset) || !in.at_end())
        return std::nullopt;
    return days * micros_per_day + time - offset;
}

std::string format_iso8601(Micros time) {
    const std::chrono::sys_time<std::chrono::microseconds> instant{std::chrono::microseconds(time)};
    const auto midnight = std::chrono::floor<std::chrono::days>(instant);
    if (midnight > last_day || midnight < first_day)
        return std::to_string(time) + " microseconds since 1970";
    const std::chrono::year_month_day date(midnight);
    const std::chrono::hh_mm_ss of_day(instant - midnight);
    const auto padded = [](std::int64_t number, std::size_t width) {
        const std::string digits = std::to_string(number);
        return std::string(digits.size() < width ? width - digits.size() : 0, '0') + digits;
    };
    std::string text = padded(static_cast<int>(date.year()), 4) + "-" + padded(static_cast<unsigned>(date.month()), 2) +
                       "-" + padded(static_cast<unsigned>(date.day()), 2) + "T" + padded(of_day.hours().count(), 2) +
                       ":" + padded(of_day.minutes().count(), 2) + ":" + padded(of_day.seconds().count(), 2);
    if (of_day.subseconds().count() != 0)
        text.append(".").append(padded(of_day.subseconds().count(), 6));
    return text + "Z";
}

std::optional<Micros> parse_ordering_timestamp(std::string_view text) {
    text = trim(text);
    if (text.empty() || text.size() > 18)
        return std::nullopt;
    std::int64_t milliseconds = 0;
    for (const char c : text) {
        if (c < '0' || c > '9')
            return std::nullopt;
        milliseconds = milliseconds * 10 + (c - '0');
    }
    // Microseconds overflow after the year 292,000. No such time is ever believed.
    if (milliseconds > INT64_MAX / 1000)
        return std::nullopt;
    return milliseconds * 1000;
}

} // namespace terra_identity
