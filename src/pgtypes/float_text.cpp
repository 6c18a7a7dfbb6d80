#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>

#include <sherd/pgtypes/value.hpp>

// Floats as the server prints them: the shortest decimal that lies strictly inside the rounding
// interval (so 1e23 is 9.999999999999999e+22), fixed notation for small exponents. Source:
// PostgreSQL manual sec. 8.1.3, extra_float_digits.

namespace sherd::pgtypes {
namespace {

/// A decimal in scientific notation of std::to_chars, taken apart.
struct Shortest {
  char digits[24];
  int count = 0;
  int exponent = 0;
};

/// Whether `text` denotes exactly the middle between `value` and one of its neighbours: it reads
/// back only by the rule of rounding to even, which the server does not rely on. A middle has one
/// bit more than the type, so long double holds it.
template <class Float>
bool is_on_edge(const char* text, Float value) {
  static_assert(std::numeric_limits<long double>::digits > std::numeric_limits<Float>::digits);
  const long double read = std::strtold(text, nullptr);
  const long double exact = value;
  if (read == exact) {
    return false;
  }
  const Float next =
      std::nextafter(value, read < exact ? Float{0} : std::numeric_limits<Float>::infinity());
  if (std::isinf(next)) {
    return false;
  }
  return read == (exact + static_cast<long double>(next)) / 2;
}

template <class Float>
Shortest shortest(Float magnitude) {
  char text[64];
  auto end =
      std::to_chars(text, text + sizeof text - 1, magnitude, std::chars_format::scientific).ptr;
  *end = '\0';
  // With more digits there is always one inside; max_digits10 is never on the edge.
  for (int precision = 1;
       is_on_edge(text, magnitude) && precision < std::numeric_limits<Float>::max_digits10;
       ++precision) {
    char longer[64];
    const auto stop =
        std::to_chars(
            longer, longer + sizeof longer - 1, magnitude, std::chars_format::scientific, precision
        )
            .ptr;
    *stop = '\0';
    Float back = 0;
    std::from_chars(longer, stop, back);
    if (back == magnitude && !is_on_edge(longer, magnitude)) {
      end = std::copy(longer, stop, text);
      *end = '\0';
      break;
    }
  }
  Shortest out;
  const char* at = text;
  for (; at != end && *at != 'e'; ++at) {
    if (*at != '.') {
      out.digits[out.count++] = *at;
    }
  }
  while (out.count > 1 && out.digits[out.count - 1] == '0') {
    --out.count;
  }
  out.exponent = static_cast<int>(std::strtol(at + 1, nullptr, 10));
  return out;
}

void append_fixed(const Shortest& number, std::string& out) {
  const std::string_view digits(number.digits, static_cast<std::size_t>(number.count));
  if (number.exponent < 0) {
    out += "0.";
    out.append(static_cast<std::size_t>(-number.exponent - 1), '0');
    out += digits;
    return;
  }
  const auto whole = static_cast<std::size_t>(number.exponent) + 1;
  out += digits.substr(0, whole);
  if (digits.size() <= whole) {
    out.append(whole - digits.size(), '0');
  } else {
    out += '.';
    out += digits.substr(whole);
  }
}

void append_scientific(const Shortest& number, std::string& out) {
  out += number.digits[0];
  if (number.count > 1) {
    out += '.';
    out.append(number.digits + 1, static_cast<std::size_t>(number.count) - 1);
  }
  char exponent[16];
  const int size = std::snprintf(
      exponent, sizeof exponent, "e%c%02d", number.exponent < 0 ? '-' : '+',
      std::abs(number.exponent)
  );
  out.append(exponent, static_cast<std::size_t>(size));
}

/// @param fixed_below  decimal exponents from -4 to below this one are written out.
template <class Float>
void append_float(
    Float value, int fixed_below, int decimal_digits, const TextSettings& settings, std::string& out
) {
  if (std::isnan(value)) {
    out += "NaN";
    return;
  }
  if (std::isinf(value)) {
    out += value < 0 ? "-Infinity" : "Infinity";
    return;
  }
  if (settings.extra_float_digits <= 0) {
    char text[64];
    const int digits = std::max(1, decimal_digits + settings.extra_float_digits);
    const int size = std::snprintf(text, sizeof text, "%.*g", digits, static_cast<double>(value));
    out.append(text, static_cast<std::size_t>(size));
    return;
  }
  if (std::signbit(value)) {
    out += '-';
  }
  if (value == 0) {
    out += '0';
    return;
  }
  const Shortest number = shortest(std::abs(value));
  if (number.exponent >= -4 && number.exponent < fixed_below) {
    append_fixed(number, out);
  } else {
    append_scientific(number, out);
  }
}

template <class Float>
bool parse_float(std::string_view text, Float& out) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), out);
  return read.ec == std::errc{} && read.ptr == text.data() + text.size() && !text.empty();
}

}  // namespace

void append_float8_text(double value, const TextSettings& settings, std::string& out) {
  append_float(value, 15, std::numeric_limits<double>::digits10, settings, out);
}

void append_float4_text(float value, const TextSettings& settings, std::string& out) {
  append_float(value, 6, std::numeric_limits<float>::digits10, settings, out);
}

bool parse_float8(std::string_view text, double& out) noexcept {
  return parse_float(text, out);
}

bool parse_float4(std::string_view text, float& out) noexcept {
  return parse_float(text, out);
}

}  // namespace sherd::pgtypes
