#include "key_datetime.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>

#include <fmt/format.h>

#include <sherd/base/text.hpp>

namespace sherd::pgtypes {
namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;
constexpr std::int64_t kInfinity = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMinusInfinity = std::numeric_limits<std::int64_t>::min();

// Days since 2000-01-01 in the proleptic Gregorian calendar; year 0 is 1 BC.
// Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".
constexpr std::int64_t days_of(std::int64_t year, std::int64_t month, std::int64_t day) noexcept {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const std::int64_t day_of_era =
      year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 730425;
}
static_assert(days_of(2000, 1, 1) == 0);
static_assert(days_of(1999, 12, 31) == -1);
static_assert(days_of(1970, 1, 1) == -10957);

struct Date {
  std::int64_t year = 0;
  std::int64_t month = 0;
  std::int64_t day = 0;
};

constexpr Date date_of(std::int64_t days) noexcept {
  days += 730425;
  const std::int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const std::int64_t day_of_era = days - era * 146097;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const std::int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t shifted = (5 * day_of_year + 2) / 153;
  const std::int64_t month = shifted < 10 ? shifted + 3 : shifted - 9;
  return {
      year_of_era + era * 400 + (month <= 2 ? 1 : 0),
      month,
      day_of_year - (153 * shifted + 2) / 5 + 1,
  };
}

// The limits of the types, datetime.h / timestamp.h: Julian day 0 (4714-11-24 BC) up to, not
// including, the end.
constexpr std::int64_t kFirstDay = days_of(-4713, 11, 24);
constexpr std::int64_t kEndDay = days_of(5874898, 1, 1);
constexpr std::int64_t kEndTimestampDay = days_of(294277, 1, 1);

constexpr std::int64_t month_days(std::int64_t year, std::int64_t month) noexcept {
  constexpr std::array<std::int64_t, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return kDays[static_cast<std::size_t>(month - 1)] + (month == 2 && leap ? 1 : 0);
}

// Takes the text apart from the left; each `take` leaves the text alone where it does not match.
class Scanner {
 public:
  explicit Scanner(std::string_view text) noexcept : text_(text) {}

  // An unsigned number of min..max digits, and no further digit behind it.
  [[nodiscard]] std::optional<std::int64_t> take_number(std::size_t min, std::size_t max) noexcept {
    std::size_t size = 0;
    while (size < text_.size() && text_[size] >= '0' && text_[size] <= '9') {
      ++size;
    }
    if (size < min || size > max) {
      return std::nullopt;
    }
    std::int64_t value = 0;
    std::from_chars(text_.data(), text_.data() + size, value);
    text_.remove_prefix(size);
    return value;
  }
  [[nodiscard]] bool take(char c) noexcept {
    if (text_.empty() || text_.front() != c) {
      return false;
    }
    text_.remove_prefix(1);
    return true;
  }
  [[nodiscard]] bool take_word(std::string_view word) noexcept {
    if (!equals_ignoring_case(text_.substr(0, word.size()), word)) {
      return false;
    }
    text_.remove_prefix(word.size());
    return true;
  }
  [[nodiscard]] bool take_spaces() noexcept {
    const std::size_t before = text_.size();
    while (!text_.empty()
           && (text_.front() == ' ' || (text_.front() >= '\t' && text_.front() <= '\r'))) {
      text_.remove_prefix(1);
    }
    return text_.size() != before;
  }
  // ".123456789" as the server reads it: a double, rounded to microseconds.
  [[nodiscard]] std::optional<std::int64_t> take_fraction() noexcept {
    if (text_.empty() || text_.front() != '.') {
      return 0;
    }
    const std::size_t end = std::min(text_.find_first_not_of("0123456789", 1), text_.size());
    double fraction = 0;
    const bool has_digits = end > 1;
    if (has_digits) {
      const auto parsed = std::from_chars(text_.data(), text_.data() + end, fraction);
      if (parsed.ec != std::errc{} || parsed.ptr != text_.data() + end) {
        return std::nullopt;
      }
    }
    text_.remove_prefix(end);
    return static_cast<std::int64_t>(std::rint(fraction * static_cast<double>(kSecond)));
  }
  [[nodiscard]] bool finished() const noexcept { return text_.empty(); }
  [[nodiscard]] char front() const noexcept { return text_.empty() ? '\0' : text_.front(); }

 private:
  std::string_view text_;
};

// What was read, not yet checked for range.
struct Parts {
  Date date{};
  bool before_christ = false;
  std::int64_t hour = 0;
  std::int64_t minute = 0;
  std::int64_t second = 0;
  std::int64_t microsecond = 0;
  std::optional<std::int64_t> offset_seconds{};  // east of Greenwich
};

bool scan_date(Scanner& in, Parts& parts) noexcept {
  const auto year =
      in.take_number(4, 7);  // four digits or more: year first whatever DateStyle says
  if (!year || !in.take('-')) {
    return false;
  }
  const auto month = in.take_number(1, 2);
  if (!month || !in.take('-')) {
    return false;
  }
  const auto day = in.take_number(1, 2);
  if (!day) {
    return false;
  }
  parts.date = {*year, *month, *day};
  return true;
}

bool scan_time(Scanner& in, Parts& parts) noexcept {
  const auto hour = in.take_number(1, 2);
  if (!hour || !in.take(':')) {
    return false;
  }
  const auto minute = in.take_number(2, 2);
  if (!minute) {
    return false;
  }
  parts.hour = *hour;
  parts.minute = *minute;
  if (!in.take(':')) {
    return true;
  }
  const auto second = in.take_number(2, 2);
  const auto fraction = second ? in.take_fraction() : std::nullopt;
  if (!fraction) {
    return false;
  }
  parts.second = *second;
  parts.microsecond = *fraction;
  return true;
}

// "Z", ±HH, ±HH:MM, ±HH:MM:SS, ±HHMM. Leaves offset_seconds empty where there is none.
bool scan_offset(Scanner& in, Parts& parts) noexcept {
  if (in.take('Z') || in.take('z')) {
    parts.offset_seconds = 0;
    return true;
  }
  const char sign = in.front();
  if (sign != '+' && sign != '-') {
    return true;
  }
  (void)in.take(sign);
  auto hour = in.take_number(1, 2);
  std::int64_t minute = 0;
  std::int64_t second = 0;
  if (!hour) {
    const auto both = in.take_number(4, 4);
    if (!both) {
      return false;
    }
    hour = *both / 100;
    minute = *both % 100;
  } else if (in.take(':')) {
    const auto m = in.take_number(2, 2);
    const auto s = m && in.take(':') ? in.take_number(2, 2) : std::optional<std::int64_t>(0);
    if (!m || !s) {
      return false;
    }
    minute = *m;
    second = *s;
  }
  if (*hour > 15 || minute > 59 || second > 59) {
    return false;
  }
  const std::int64_t total = *hour * 3600 + minute * 60 + second;
  parts.offset_seconds = sign == '-' ? -total : total;
  return true;
}

bool scan(KeyType type, std::string_view text, Parts& parts) noexcept {
  Scanner in(text);
  (void)in.take_spaces();
  if (!scan_date(in, parts)) {
    return false;
  }
  bool spaced = false;
  if (type != KeyType::kDate) {
    const bool with_t = in.take('T') || in.take('t');
    spaced = !with_t && in.take_spaces();
    const char next = in.front();
    if (with_t || (spaced && next >= '0' && next <= '9')) {
      if (!scan_time(in, parts)) {
        return false;
      }
      spaced = in.take_spaces();
      if (!scan_offset(in, parts)) {
        return false;
      }
    }
  }
  spaced = in.take_spaces() || spaced;
  if (spaced && in.take_word("BC")) {
    parts.before_christ = true;
    (void)in.take_spaces();
  }
  return in.finished();
}

std::string_view type_word(KeyType type) noexcept {
  return type == KeyType::kDate ? "date" : "timestamp";
}

// SQLSTATE 22008, datetime_field_overflow, has no code of its own here.
std::unexpected<Error> overflow(std::string message) {
  return fail(Error{
      .code = ErrorCode::kOutOfRange,
      .message = std::move(message),
      .sqlstate_of_shard = "22008",
  });
}

std::unexpected<Error> unsupported(KeyType type, std::string_view text) {
  return fail(
      ErrorCode::kUnsupported, fmt::format("{} key \"{}\" is not in ISO form", name_of(type), text),
      type == KeyType::kTimestamptz ? "write it as YYYY-MM-DD HH:MM:SS+HH:MM"
                                    : "write it as YYYY-MM-DD or YYYY-MM-DD HH:MM:SS"
  );
}

std::optional<std::int64_t> infinity_in(std::string_view text) noexcept {
  Scanner in(text);
  (void)in.take_spaces();
  const bool minus = in.take('-');
  if (!in.take_word("infinity")) {
    return std::nullopt;
  }
  (void)in.take_spaces();
  return in.finished() ? std::optional(minus ? kMinusInfinity : kInfinity) : std::nullopt;
}

bool in_range(KeyType type, std::int64_t value) noexcept {
  if (type == KeyType::kDate) {
    return value >= kFirstDay && value < kEndDay;
  }
  return value >= kFirstDay * kDay && value < kEndTimestampDay * kDay;
}

bool fields_are_valid(const Parts& parts, std::int64_t year) noexcept {
  const auto& date = parts.date;
  if (date.year == 0 || date.month < 1 || date.month > 12 || date.day < 1
      || date.day > month_days(year, date.month)) {
    return false;
  }
  const bool end_of_day =
      parts.hour == 24 && parts.minute == 0 && parts.second == 0 && parts.microsecond == 0;
  return (parts.hour <= 23 || end_of_day) && parts.minute <= 59 && parts.second <= 60;
}

void append_time(std::int64_t microseconds, std::string& out) {
  fmt::format_to(
      std::back_inserter(out), " {:02}:{:02}:{:02}", microseconds / kHour,
      microseconds % kHour / kMinute, microseconds % kMinute / kSecond
  );
  if (const std::int64_t fraction = microseconds % kSecond; fraction != 0) {
    fmt::format_to(std::back_inserter(out), ".{:06}", fraction);
    out.resize(out.find_last_not_of('0') + 1);
  }
}

}  // namespace

Result<std::int64_t> datetime_from_text(KeyType type, std::string_view text) {
  if (const auto infinite = infinity_in(text)) {
    return *infinite;
  }
  Parts parts;
  if (!scan(type, text, parts)
      || (type == KeyType::kTimestamptz && !parts.offset_seconds.has_value())) {
    return unsupported(type, text);
  }
  const std::int64_t year = parts.before_christ ? 1 - parts.date.year : parts.date.year;
  if (!fields_are_valid(parts, year)) {
    return overflow(fmt::format("date/time field value out of range: \"{}\"", text));
  }
  std::int64_t value = days_of(year, parts.date.month, parts.date.day);
  if (!in_range(KeyType::kDate, value)) {
    return overflow(fmt::format("{} out of range: \"{}\"", type_word(type), text));
  }
  if (type == KeyType::kDate) {
    return value;
  }
  value =
      std::min(value, kEndTimestampDay + 2);  // no overflow below; no offset leads back into range
  value = value * kDay + parts.hour * kHour + parts.minute * kMinute + parts.second * kSecond
          + parts.microsecond;
  if (type == KeyType::kTimestamptz) {
    value -= *parts.offset_seconds * kSecond;
  }
  if (!in_range(type, value)) {
    return overflow(fmt::format("timestamp out of range: \"{}\"", text));
  }
  return value;
}

Result<std::int64_t> checked_datetime(KeyType type, std::int64_t value) {
  if (value == kInfinity || value == kMinusInfinity || in_range(type, value)) {
    return value;
  }
  return overflow(fmt::format("{} out of range", type_word(type)));
}

void append_datetime(KeyType type, std::int64_t value, std::string& out) {
  if (value == kInfinity || value == kMinusInfinity) {
    out += value == kInfinity ? "infinity" : "-infinity";
    return;
  }
  const std::int64_t unit = type == KeyType::kDate ? 1 : kDay;
  const std::int64_t days = (value >= 0 ? value : value - unit + 1) / unit;
  const Date date = date_of(days);
  const std::int64_t shown = date.year > 0 ? date.year : 1 - date.year;
  fmt::format_to(std::back_inserter(out), "{:04}-{:02}-{:02}", shown, date.month, date.day);
  if (type != KeyType::kDate) {
    append_time(value - days * kDay, out);
  }
  if (type == KeyType::kTimestamptz) {
    out += "+00";
  }
  if (date.year <= 0) {
    out += " BC";
  }
}

std::int64_t round_timestamp(std::int64_t value, std::int32_t precision) noexcept {
  constexpr std::array<std::int64_t, 7> kUnit = {1'000'000, 100'000, 10'000, 1'000, 100, 10, 1};
  if (precision < 0 || precision > 6 || value == kInfinity || value == kMinusInfinity) {
    return value;
  }
  const std::int64_t unit = kUnit[static_cast<std::size_t>(precision)];
  const std::int64_t half = unit / 2;  // AdjustTimestampForTypmod: half away from zero
  return value >= 0 ? (value + half) / unit * unit : -((-value + half) / unit * unit);
}

}  // namespace sherd::pgtypes
