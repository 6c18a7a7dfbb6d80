#include "key_numeric.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdlib>

#include <fmt/format.h>

#include <sherd/base/text.hpp>

namespace sherd::pgtypes {
namespace {

constexpr std::size_t kMaxIntegerDigits = 131072;  // numeric.c: limits of the type
constexpr std::size_t kMaxScale = 16383;
constexpr std::int64_t kMaxExponent = 2 * static_cast<std::int64_t>(kMaxIntegerDigits);
constexpr std::string_view kNaN = "NaN";
constexpr std::string_view kInfinity = "Infinity";
constexpr std::string_view kMinusInfinity = "-Infinity";

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
bool is_space(char c) noexcept {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && is_space(text.front())) {
    text.remove_prefix(1);
  }
  while (!text.empty() && is_space(text.back())) {
    text.remove_suffix(1);
  }
  return text;
}

std::size_t count_digits(std::string_view text) noexcept {
  return static_cast<std::size_t>(std::ranges::find_if_not(text, is_digit) - text.begin());
}

// A decimal number in parts: [-]integer.fraction × 10^exponent.
struct Decimal {
  bool negative = false;
  std::string_view integer{};
  std::string_view fraction{};
  std::int64_t exponent = 0;
};

// Takes apart [+-]digits[.digits][e[+-]digits]. False where that is not the form.
bool parse_decimal(std::string_view text, Decimal& out) noexcept {
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    out.negative = text.front() == '-';
    text.remove_prefix(1);
  }
  out.integer = text.substr(0, count_digits(text));
  text.remove_prefix(out.integer.size());
  if (!text.empty() && text.front() == '.') {
    text.remove_prefix(1);
    out.fraction = text.substr(0, count_digits(text));
    text.remove_prefix(out.fraction.size());
  }
  if (out.integer.empty() && out.fraction.empty()) {
    return false;
  }
  if (text.empty()) {
    return true;
  }
  if (text.front() != 'e' && text.front() != 'E') {
    return false;
  }
  text.remove_prefix(1);
  if (text.size() > 1 && text.front() == '+' && is_digit(text[1])) {
    text.remove_prefix(1);
  }
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), out.exponent);
  if (code == std::errc::result_out_of_range) {
    out.exponent = kMaxExponent + 1;
    return end == text.data() + text.size();
  }
  return code == std::errc{} && end == text.data() + text.size();
}

// The canonical text of digits, of which the first `point` (may lie outside them) stand before the
// decimal point. Appends to `out`.
void append_canonical(
    bool negative, std::string_view digits, std::int64_t point, std::string& out
) {
  while (!digits.empty() && digits.front() == '0') {
    digits.remove_prefix(1);
    --point;
  }
  while (!digits.empty() && digits.back() == '0') {
    digits.remove_suffix(1);
  }
  if (digits.empty()) {
    out += '0';
    return;
  }
  if (negative) {
    out += '-';
  }
  const auto size = static_cast<std::int64_t>(digits.size());
  if (point <= 0) {
    out += "0.";
    out.append(static_cast<std::size_t>(-point), '0');
    out += digits;
  } else if (point >= size) {
    out += digits;
    out.append(static_cast<std::size_t>(point - size), '0');
  } else {
    out += digits.substr(0, static_cast<std::size_t>(point));
    out += '.';
    out += digits.substr(static_cast<std::size_t>(point));
  }
}

bool is_canonical(const Decimal& d, std::string_view text) noexcept {
  const bool integer_good = d.integer == "0" || (!d.integer.empty() && d.integer.front() != '0');
  const bool fraction_good = d.fraction.empty() ? text.back() != '.' : d.fraction.back() != '0';
  const bool zero = d.integer == "0" && d.fraction.empty();
  return integer_good && fraction_good && text.front() != '+' && !(zero && d.negative)
         && text.size()
                == d.negative + d.integer.size() + (d.fraction.empty() ? 0 : 1 + d.fraction.size());
}

std::string_view special_value(std::string_view text) noexcept {
  struct Row {
    std::string_view word;
    std::string_view value;
  };
  static constexpr std::array kRows = {
      Row{"nan", kNaN},
      Row{"inf", kInfinity},
      Row{"infinity", kInfinity},
      Row{"+inf", kInfinity},
      Row{"+infinity", kInfinity},
      Row{"-inf", kMinusInfinity},
      Row{"-infinity", kMinusInfinity},
  };
  const auto* row =
      std::ranges::find_if(kRows, [&](const Row& r) { return equals_ignoring_case(r.word, text); });
  return row == kRows.end() ? std::string_view{} : row->value;
}

// -1, 0, 1 for -Infinity, finite, +Infinity; 2 for NaN: their order.
int rank(std::string_view text) noexcept {
  if (text == kNaN) {
    return 2;
  }
  return text == kInfinity ? 1 : text == kMinusInfinity ? -1 : 0;
}

std::strong_ordering compare_magnitude(std::string_view a, std::string_view b) noexcept {
  const std::size_t a_point = std::min(a.find('.'), a.size());
  const std::size_t b_point = std::min(b.find('.'), b.size());
  if (a_point != b_point) {
    return a_point
           <=> b_point;  // no leading zeros: more digits is more ("0.5" and "7" both have one)
  }
  // Equal places from here on; a fraction that is a prefix of the other is the smaller one.
  return a.compare(b) <=> 0;
}

}  // namespace

Result<std::string_view> numeric_from_text(std::string_view text, std::string& scratch) {
  const std::string_view body = trimmed(text);
  if (const std::string_view special = special_value(body); !special.empty()) {
    return special;
  }
  Decimal d;
  if (!parse_decimal(body, d)) {
    // Newer servers read 0x1F and 1_000: whether it is a number is theirs to say.
    if (body.find_first_of("_xXoObB") != std::string_view::npos && !body.empty()
        && body.find_first_of("0123456789") != std::string_view::npos) {
      return fail(
          ErrorCode::kUnsupported,
          fmt::format("numeric key \"{}\" is not in plain decimal form", text)
      );
    }
    return fail(
        ErrorCode::kInvalidText, fmt::format("invalid input syntax for type numeric: \"{}\"", text)
    );
  }
  if (is_canonical(d, body) && d.integer.size() <= kMaxIntegerDigits
      && d.fraction.size() <= kMaxScale) {
    return body;
  }
  if (std::abs(d.exponent) > kMaxExponent) {
    return fail(
        ErrorCode::kUnsupported, fmt::format("numeric key has an exponent beyond {}", kMaxExponent)
    );
  }
  const std::size_t zeros = std::min(d.integer.find_first_not_of('0'), d.integer.size());
  const auto point = static_cast<std::int64_t>(d.integer.size()) + d.exponent;
  if (point - static_cast<std::int64_t>(zeros) > static_cast<std::int64_t>(kMaxIntegerDigits)) {
    return fail(ErrorCode::kOutOfRange, "value overflows numeric format");
  }
  if (static_cast<std::int64_t>(d.fraction.size()) - d.exponent
      > static_cast<std::int64_t>(kMaxScale)) {
    return fail(
        ErrorCode::kUnsupported, fmt::format("numeric key has more than {} decimals", kMaxScale)
    );
  }
  std::string digits;
  digits.reserve(d.integer.size() + d.fraction.size());
  digits.append(d.integer).append(d.fraction);
  scratch.clear();
  append_canonical(d.negative, digits, point, scratch);
  return std::string_view(scratch);
}

Result<std::string_view> numeric_from_binary(Bytes value, std::string& scratch) {
  constexpr std::uint16_t kNegative = 0x4000;
  ByteReader reader(value);
  const auto count = reader.read<std::uint16_t>();
  const auto weight = reader.read<std::int16_t>();
  const auto sign = reader.read<std::uint16_t>();
  const auto scale = reader.read<std::uint16_t>();
  std::string digits;
  digits.reserve(std::size_t{4} * count);
  bool good = reader.ok() && scale <= kMaxScale && reader.remaining() == std::size_t{2} * count;
  for (std::uint16_t i = 0; good && i < count; ++i) {
    const auto digit = reader.read<std::uint16_t>();
    good = digit < 10000;
    fmt::format_to(std::back_inserter(digits), "{:04}", digit);
  }
  if (!good) {
    return fail(ErrorCode::kInvalidBinary, "invalid binary value for type numeric");
  }
  switch (sign) {
    case 0xC000:
      return kNaN;
    case 0xD000:
      return kInfinity;
    case 0xF000:
      return kMinusInfinity;
    case 0:
    case kNegative:
      break;
    default:
      return fail(ErrorCode::kInvalidBinary, "invalid sign in external \"numeric\" value");
  }
  // The server cuts what lies beyond the declared scale.
  const std::int64_t point = (std::int64_t{weight} + 1) * 4;
  const std::int64_t kept =
      std::clamp<std::int64_t>(point + scale, 0, static_cast<std::int64_t>(digits.size()));
  digits.resize(static_cast<std::size_t>(kept));
  scratch.clear();
  append_canonical(sign == kNegative, digits, point, scratch);
  return std::string_view(scratch);
}

std::strong_ordering compare_numeric(std::string_view a, std::string_view b) noexcept {
  const int a_rank = rank(a);
  const int b_rank = rank(b);
  if (a_rank != 0 || b_rank != 0) {
    return a_rank <=> b_rank;
  }
  const bool a_negative = a.starts_with('-');
  const bool b_negative = b.starts_with('-');
  if (a_negative != b_negative) {
    return b_negative <=> a_negative;
  }
  return a_negative ? compare_magnitude(b.substr(1), a.substr(1)) : compare_magnitude(a, b);
}

std::string_view round_numeric(
    std::string_view canonical, std::int32_t typmod, std::string& scratch
) {
  if (typmod < 4 || rank(canonical) != 0) {
    return canonical;
  }
  // numeric.c: precision in the high 16 bits, scale in the low 11, signed; offset by VARHDRSZ.
  const std::int32_t precision = ((typmod - 4) >> 16) & 0xffff;
  const std::int32_t scale = (((typmod - 4) & 0x7ff) ^ 1024) - 1024;
  const bool negative = canonical.starts_with('-');
  const std::string_view body = canonical.substr(negative ? 1 : 0);
  const std::size_t dot = std::min(body.find('.'), body.size());
  std::string digits = "0";  // room for a carry
  digits.append(body.substr(0, dot));
  if (dot < body.size()) {
    digits.append(body.substr(dot + 1));
  }
  const auto point = static_cast<std::int64_t>(dot) + 1;
  const std::int64_t kept = point + scale;
  if (kept < static_cast<std::int64_t>(digits.size())) {
    const bool up = kept > 0 && digits[static_cast<std::size_t>(kept)] >= '5';
    digits.resize(static_cast<std::size_t>(std::max<std::int64_t>(kept, 0)));
    if (up) {
      auto at = digits.end();
      while (*--at == '9') {
        *at = '0';
      }
      ++*at;
    }
  }
  std::string rounded;
  append_canonical(negative, digits, point, rounded);
  const std::string_view magnitude = std::string_view(rounded).substr(rounded.starts_with('-'));
  const std::size_t places =
      magnitude.starts_with('0') ? 0 : std::min(magnitude.find('.'), magnitude.size());
  if (static_cast<std::int64_t>(places) > precision - scale) {
    return canonical;  // the server refuses it
  }
  scratch = std::move(rounded);
  return scratch;
}

}  // namespace sherd::pgtypes
