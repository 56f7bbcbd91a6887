#include "core/time.h"

#include "core/text.h"

#include <string>

namespace terra_identity {
namespace {

/// Reads a text from left to right; every method says whether it found what it was asked for.
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

constexpr bool is_leap(int year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

constexpr int days_in_month(int year, int month) {
    constexpr int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar (Howard Hinnant, "days_from_civil").
constexpr std::int64_t days_since_epoch(int year, int month, int day) {
    const int y = month <= 2 ? year - 1 : year;
    const int era = (y >= 0 ? y : y - 399) / 400;
    const int year_of_era = y - era * 400;
    const int day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    const int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return static_cast<std::int64_t>(era) * 146'097 + day_of_era - 719'468;
}
static_assert(days_since_epoch(1970, 1, 1) == 0 && days_since_epoch(2000, 3, 1) == 11'017);

struct Date {
    std::int64_t year;
    int month;
    int day;
};

/// The inverse (Howard Hinnant, "civil_from_days").
constexpr Date date_of(std::int64_t days) {
    days += 719'468;
    const std::int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
    const int day_of_era = static_cast<int>(days - era * 146'097);
    const int year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
    const int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const int month = (5 * day_of_year + 2) / 153;
    const int day = day_of_year - (153 * month + 2) / 5 + 1;
    return {era * 400 + year_of_era + (month >= 10 ? 1 : 0), month < 10 ? month + 3 : month - 9, day};
}
static_assert(date_of(11'017).year == 2000 && date_of(11'017).month == 3 && date_of(11'017).day == 1);

bool read_date(Scanner& in, std::int64_t& days) {
    int year = 0, month = 0, day = 0;
    if (!in.digits(4, year) || !in.accept('-') || !in.digits(2, month) || !in.accept('-') || !in.digits(2, day))
        return false;
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        return false;
    days = days_since_epoch(year, month, day);
    return true;
}

/// A fraction of a second, any number of digits, in whole microseconds.
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
    const std::int64_t days = (time >= 0 ? time : time - (micros_per_day - 1)) / micros_per_day;
    const Micros of_day = time - days * micros_per_day;
    const Date date = date_of(days);
    const int seconds = static_cast<int>(of_day / micros_per_second);
    const int fraction = static_cast<int>(of_day % micros_per_second);
    const auto padded = [](std::int64_t number, std::size_t width) {
        const std::string digits = std::to_string(number);
        return std::string(digits.size() < width ? width - digits.size() : 0, '0') + digits;
    };
    std::string text = padded(date.year, 4) + "-" + padded(date.month, 2) + "-" + padded(date.day, 2) + "T" +
                       padded(seconds / 3600, 2) + ":" + padded(seconds / 60 % 60, 2) + ":" + padded(seconds % 60, 2);
    if (fraction != 0)
        text.append(".").append(padded(fraction, 6));
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
    // Past the year 292,000 it would overflow; nothing like it is ever believed.
    if (milliseconds > INT64_MAX / 1000)
        return std::nullopt;
    return milliseconds * 1000;
}

} // namespace terra_identity
