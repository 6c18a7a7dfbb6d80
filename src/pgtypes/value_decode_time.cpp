#include <array>
#include <limits>

#include <sherd/pgtypes/key.hpp>

#include "key_datetime.hpp"
#include "value_decode.hpp"

// Dates and times. Only what one output style writes is read; every other style has another shape.

namespace sherd::pgtypes::decode {
namespace {

__extension__ using Wide = __int128;

constexpr std::int64_t kSecond = 1'000'000;  // in microseconds
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;
constexpr std::int64_t kDaysPerMonth = 30;  // as the server compares intervals
constexpr std::int64_t kMonthsPerYear = 12;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// "2024-…": a year of four digits or more in front. No other DateStyle begins so.
bool looks_iso(std::string_view text) {
  std::size_t digits = 0;
  while (digits < text.size() && is_digit(text[digits])) {
    ++digits;
  }
  const bool year =
      digits >= 4 && digits + 6 <= text.size() && text[digits] == '-' && text[digits + 3] == '-';
  return year || text == "infinity" || text == "-infinity";
}

bool datetime_text(KeyType type, Bytes value, Ordinal& out) {
  const std::string_view text = as_text(value);
  if (!looks_iso(text)) {
    return false;
  }
  const Result<std::int64_t> number = datetime_from_text(type, text);
  out = {.high = number.value_or(0)};
  return number.has_value();
}

/// Reads up to `most` digits from the front of `rest`; at least `least`.
bool read_number(std::string_view& rest, std::size_t least, std::size_t most, std::int64_t& out) {
  std::size_t digits = 0;
  out = 0;
  while (digits < rest.size() && digits < most && is_digit(rest[digits])) {
    out = out * 10 + (rest[digits] - '0');
    ++digits;
  }
  rest.remove_prefix(digits);
  return digits >= least;
}

bool read_mark(std::string_view& rest, char mark) {
  if (rest.empty() || rest.front() != mark) {
    return false;
  }
  rest.remove_prefix(1);
  return true;
}

/// "HH…:MM:SS[.ffffff]" as microseconds.
bool read_clock(std::string_view& rest, std::size_t hour_digits, std::int64_t& out) {
  std::int64_t hours = 0;
  std::int64_t minutes = 0;
  std::int64_t seconds = 0;
  if (!read_number(rest, 2, hour_digits, hours) || !read_mark(rest, ':')
      || !read_number(rest, 2, 2, minutes) || !read_mark(rest, ':')
      || !read_number(rest, 2, 2, seconds)) {
    return false;
  }
  std::int64_t fraction = 0;
  if (read_mark(rest, '.')) {
    const std::size_t before = rest.size();
    if (!read_number(rest, 1, 6, fraction)) {
      return false;
    }
    for (std::size_t digits = before - rest.size(); digits < 6; ++digits) {
      fraction *= 10;
    }
  }
  const Wide time = Wide{hours} * kHour + minutes * kMinute + seconds * kSecond + fraction;
  out = static_cast<std::int64_t>(time);
  return minutes < 60 && seconds < 61 && time <= std::numeric_limits<std::int64_t>::max();
}

/// "+05", "-03:30", "+00:53:28": seconds west of Greenwich, as the server keeps it.
bool read_zone(std::string_view& rest, std::int64_t& out) {
  const bool west = !rest.empty() && rest.front() == '-';
  std::array<std::int64_t, 3> parts{};
  if (!read_mark(rest, west ? '-' : '+') || !read_number(rest, 2, 2, parts[0])) {
    return false;
  }
  for (std::size_t i = 1; i < parts.size() && read_mark(rest, ':'); ++i) {
    if (!read_number(rest, 2, 2, parts[i])) {
      return false;
    }
  }
  const std::int64_t seconds = parts[0] * 3600 + parts[1] * 60 + parts[2];
  out = west ? seconds : -seconds;
  return true;
}

void set_timetz(std::int64_t time, std::int64_t zone, Ordinal& out) {
  constexpr std::uint64_t kSignBit = std::uint64_t{1} << 63;
  out = {.high = time + zone * kSecond, .low = static_cast<std::uint64_t>(zone) ^ kSignBit};
}

void set_interval(std::int64_t months, std::int64_t days, std::int64_t time, Ordinal& out) {
  const Wide span = Wide{months * kDaysPerMonth + days} * kDay + time;
  out = {.high = static_cast<std::int64_t>(span >> 64), .low = static_cast<std::uint64_t>(span)};
}

/// As servers from 17 on keep them: every field at its end.
void set_infinite_interval(bool negative, Ordinal& out) {
  using Field = std::numeric_limits<std::int32_t>;
  using Time = std::numeric_limits<std::int64_t>;
  if (negative) {
    set_interval(Field::min(), Field::min(), Time::min(), out);
  } else {
    set_interval(Field::max(), Field::max(), Time::max(), out);
  }
}

struct Unit {
  std::string_view name;
  std::int64_t months;
  std::int64_t days;
};

constexpr std::array kUnits = {
    Unit{"year", kMonthsPerYear, 0},
    Unit{"years", kMonthsPerYear, 0},
    Unit{"mon", 1, 0},
    Unit{"mons", 1, 0},
    Unit{"day", 0, 1},
    Unit{"days", 0, 1},
};

const Unit* find_unit(std::string_view name) {
  for (const Unit& unit : kUnits) {
    if (unit.name == name) {
      return &unit;
    }
  }
  return nullptr;
}

}  // namespace

bool date_text(Bytes value, Ordinal& out) noexcept {
  return datetime_text(KeyType::kDate, value, out);
}
bool timestamp_text(Bytes value, Ordinal& out) noexcept {
  return datetime_text(KeyType::kTimestamp, value, out);
}
bool timestamptz_text(Bytes value, Ordinal& out) noexcept {
  return datetime_text(KeyType::kTimestamptz, value, out);
}

bool time_text(Bytes value, Ordinal& out) noexcept {
  std::string_view rest = as_text(value);
  out = {};
  return read_clock(rest, 2, out.high) && rest.empty();
}

bool timetz_text(Bytes value, Ordinal& out) noexcept {
  std::string_view rest = as_text(value);
  std::int64_t time = 0;
  std::int64_t zone = 0;
  const bool ok = read_clock(rest, 2, time) && read_zone(rest, zone) && rest.empty();
  set_timetz(time, zone, out);
  return ok;
}

bool timetz_binary(Bytes value, Ordinal& out) noexcept {
  ByteReader reader(value);
  const auto time = reader.read<std::int64_t>();
  const auto zone = reader.read<std::int32_t>();
  if (!reader.finished() || time < 0 || time > kDay) {
    return false;
  }
  set_timetz(time, zone, out);
  return true;
}

/// Style postgres: "1 year 2 mons -3 days +04:05:06.7". A number without a unit belongs to another
/// style.
bool interval_text(Bytes value, Ordinal& out) noexcept {
  std::string_view rest = as_text(value);
  if (rest == "infinity" || rest == "-infinity") {
    set_infinite_interval(rest.front() == '-', out);
    return true;
  }
  std::int64_t months = 0;
  std::int64_t days = 0;
  std::int64_t time = 0;
  bool any = false;
  while (!rest.empty()) {
    if (any && !read_mark(rest, ' ')) {
      return false;
    }
    any = true;
    const bool negative = read_mark(rest, '-');
    if (!negative) {
      (void)read_mark(rest, '+');
    }
    const auto word_end = rest.find(' ');
    if (rest.substr(0, word_end).contains(':')) {
      if (!read_clock(rest, 10, time)) {
        return false;
      }
      time = negative ? -time : time;
      break;  // the clock comes last
    }
    std::int64_t number = 0;
    if (!read_number(rest, 1, 10, number) || !read_mark(rest, ' ')) {
      return false;
    }
    const auto unit_end = rest.find(' ');
    const Unit* const unit = find_unit(rest.substr(0, unit_end));
    if (unit == nullptr) {
      return false;
    }
    rest.remove_prefix(unit_end == std::string_view::npos ? rest.size() : unit_end);
    number = negative ? -number : number;
    months += number * unit->months;
    days += number * unit->days;
  }
  set_interval(months, days, time, out);
  return any && rest.empty();
}

bool interval_binary(Bytes value, Ordinal& out) noexcept {
  ByteReader reader(value);
  const auto time = reader.read<std::int64_t>();
  const auto days = reader.read<std::int32_t>();
  const auto months = reader.read<std::int32_t>();
  if (!reader.finished()) {
    return false;
  }
  set_interval(months, days, time, out);
  return true;
}

}  // namespace sherd::pgtypes::decode
