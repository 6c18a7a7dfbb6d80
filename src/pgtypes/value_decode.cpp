#include "value_decode.hpp"

#include <bit>
#include <charconv>
#include <cmath>
#include <limits>

namespace sherd::pgtypes::decode {
namespace {

constexpr std::uint64_t kSignBit = std::uint64_t{1} << 63;

/// An unsigned order as a signed one.
std::int64_t as_signed(std::uint64_t value) {
  return static_cast<std::int64_t>(value ^ kSignBit);
}

/// Order of floats as integers: -0 = 0, NaN above all.
std::int64_t ordered(double value) {
  if (std::isnan(value)) {
    return std::numeric_limits<std::int64_t>::max();
  }
  const auto raw = std::bit_cast<std::int64_t>(value == 0 ? 0.0 : value);
  return raw < 0 ? raw ^ std::numeric_limits<std::int64_t>::max() : raw;
}

std::int64_t first_bytes(Bytes value) {
  std::uint64_t prefix = 0;
  if (!value.empty()) {
    std::memcpy(&prefix, value.data(), value.size() < 8 ? value.size() : 8);
  }
  return as_signed(std::byteswap(prefix));
}

template <class T>
bool fixed_binary(Bytes value, Ordinal& out) {
  if (value.size() != sizeof(T)) {
    return false;
  }
  out = {.high = static_cast<std::int64_t>(load_be<T>(value.data()))};
  return true;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace

bool bool_text(Bytes value, Ordinal& out) noexcept {
  const std::string_view text = as_text(value);
  out = {.high = text == "t" ? 1 : 0};
  return text == "t" || text == "f";
}

bool bool_binary(Bytes value, Ordinal& out) noexcept {
  return fixed_binary<std::uint8_t>(value, out);
}

bool char_text(Bytes value, Ordinal& out) noexcept {
  const std::string_view text = as_text(value);
  out = {};
  if (text.size() == 4 && text[0] == '\\') {  // servers from 16 on write bytes above 127 as \ooo
    unsigned code = 0;
    const auto read = std::from_chars(text.data() + 1, text.data() + 4, code, 8);
    out.high = code;
    return read.ec == std::errc{} && read.ptr == text.data() + 4;
  }
  out.high = text.empty() ? 0 : static_cast<unsigned char>(text[0]);
  return text.size() <= 1;
}

bool char_binary(Bytes value, Ordinal& out) noexcept {
  return fixed_binary<std::uint8_t>(value, out);
}

bool integer_text(Bytes value, Ordinal& out) noexcept {
  const std::string_view text = as_text(value);
  out = {};
  const auto read = std::from_chars(text.data(), text.data() + text.size(), out.high);
  return read.ec == std::errc{} && read.ptr == text.data() + text.size();
}

bool int2_binary(Bytes value, Ordinal& out) noexcept {
  return fixed_binary<std::int16_t>(value, out);
}
bool int4_binary(Bytes value, Ordinal& out) noexcept {
  return fixed_binary<std::int32_t>(value, out);
}
bool int8_binary(Bytes value, Ordinal& out) noexcept {
  return fixed_binary<std::int64_t>(value, out);
}
bool oid_binary(Bytes value, Ordinal& out) noexcept {
  return fixed_binary<std::uint32_t>(value, out);
}

bool float4_text(Bytes value, Ordinal& out) noexcept {
  float number = 0;
  const bool ok = parse_float4(as_text(value), number);
  out = {.high = ordered(double{number})};
  return ok;
}

bool float4_binary(Bytes value, Ordinal& out) noexcept {
  if (value.size() != sizeof(float)) {
    return false;
  }
  out = {.high = ordered(double{std::bit_cast<float>(load_be<std::uint32_t>(value.data()))})};
  return true;
}

bool float8_text(Bytes value, Ordinal& out) noexcept {
  double number = 0;
  const bool ok = parse_float8(as_text(value), number);
  out = {.high = ordered(number)};
  return ok;
}

bool float8_binary(Bytes value, Ordinal& out) noexcept {
  if (value.size() != sizeof(double)) {
    return false;
  }
  out = {.high = ordered(std::bit_cast<double>(load_be<std::uint64_t>(value.data())))};
  return true;
}

namespace {

// Ranks of numeric: far apart, so that an exponent can be added without leaving its class.
constexpr std::int64_t kFinite = std::int64_t{1} << 40;
constexpr std::int64_t kInfinity = std::int64_t{1} << 50;
constexpr std::int64_t kNan = std::int64_t{1} << 51;

bool special_numeric(std::string_view text, Ordinal& out) {
  if (text == "NaN") {
    out.high = kNan;
  } else if (text == "Infinity") {
    out.high = kInfinity;
  } else if (text == "-Infinity") {
    out.high = -kInfinity;
  } else {
    return false;
  }
  return true;
}

}  // namespace

bool numeric_text(Bytes value, Ordinal& out) noexcept {
  std::string_view text = as_text(value);
  out = {};
  if (special_numeric(text, out)) {
    return true;
  }
  const bool negative = text.starts_with('-');
  text.remove_prefix(negative ? 1 : 0);
  const auto point = text.find('.');
  const auto whole =
      static_cast<std::int64_t>(point == std::string_view::npos ? text.size() : point);
  bool digits = !text.empty();
  for (std::size_t i = 0; i < text.size(); ++i) {
    digits = digits && ((text[i] >= '0' && text[i] <= '9') || i == point);
  }
  if (!digits) {
    return false;
  }
  const auto first = text.find_first_not_of("0.");
  if (first == std::string_view::npos) {
    return true;  // zero, of either sign
  }
  const auto last = text.find_last_not_of("0.");
  // Exponent of the first digit. Where it is equal in two texts, their points stand at the same
  // place.
  const auto at = static_cast<std::int64_t>(first);
  const std::int64_t rank = kFinite + (at < whole ? whole - 1 - at : whole - at);
  out.high = negative ? -rank : rank;
  out.data = value.data() + (negative ? 1 : 0) + first;
  out.size = last - first + 1;
  return true;
}

bool numeric_binary(Bytes value, Ordinal& out) noexcept {
  ByteReader reader(value);
  const auto count = reader.read<std::uint16_t>();
  std::int64_t weight = reader.read<std::int16_t>();
  const auto sign = reader.read<std::uint16_t>();
  (void)reader.read<std::uint16_t>();  // the display scale does not count
  Bytes digits = reader.read_bytes(std::size_t{count} * 2);
  out = {};
  if (!reader.finished()) {
    return false;
  }
  if ((sign & 0xC000) == 0xC000) {
    out.high = sign == 0xC000 ? kNan : (sign == 0xD000 ? kInfinity : -kInfinity);
    return sign == 0xC000 || sign == 0xD000 || sign == 0xF000;
  }
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    if (load_be<std::uint16_t>(digits.data() + i) > 9999) {
      return false;
    }
  }
  while (!digits.empty() && load_be<std::uint16_t>(digits.data()) == 0) {
    digits = digits.subspan(2);
    --weight;
  }
  while (!digits.empty() && load_be<std::uint16_t>(digits.data() + digits.size() - 2) == 0) {
    digits = digits.first(digits.size() - 2);
  }
  if (digits.empty()) {
    return true;
  }
  out.high = sign == 0x4000 ? -(kFinite + weight) : kFinite + weight;
  out.data = digits.data();
  out.size = digits.size();
  return sign == 0 || sign == 0x4000;
}

bool bytes(Bytes value, Ordinal& out) noexcept {
  out = {.high = first_bytes(value), .data = value.data(), .size = value.size()};
  return true;
}

bool collated(Bytes value, Ordinal& out) noexcept {
  out = {.data = value.data(), .size = value.size()};
  return true;
}

namespace {

Bytes without_trailing_blanks(Bytes value) {
  const auto last = as_text(value).find_last_not_of(' ');
  return value.first(last == std::string_view::npos ? 0 : last + 1);
}

}  // namespace

bool blank_padded(Bytes value, Ordinal& out) noexcept {
  return bytes(without_trailing_blanks(value), out);
}

bool collated_blank_padded(Bytes value, Ordinal& out) noexcept {
  return collated(without_trailing_blanks(value), out);
}

bool bytea_text(Bytes value, Ordinal& out) noexcept {
  if (!as_text(value).starts_with("\\x")) {
    return false;  // bytea_output = escape; there a backslash is always doubled
  }
  return bytes(value.subspan(2), out);
}

bool bits_text(Bytes value, Ordinal& out) noexcept {
  return as_text(value).find_first_not_of("01") == std::string_view::npos && bytes(value, out);
}

bool bits_binary(Bytes value, Ordinal& out) noexcept {
  ByteReader reader(value);
  const auto count = reader.read<std::int32_t>();
  const Bytes data = reader.read_bytes(reader.remaining());
  if (!reader.ok() || count < 0 || data.size() != (static_cast<std::size_t>(count) + 7) / 8) {
    return false;
  }
  bytes(data, out);
  out.low = static_cast<std::uint64_t>(count);
  return true;
}

bool uuid_text(Bytes value, Ordinal& out) noexcept {
  const std::string_view text = as_text(value);
  std::uint64_t halves[2] = {0, 0};
  int digits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
    const int digit = hyphen ? 0 : hex_digit(text[i]);
    if (text.size() != 36 || digit < 0 || hyphen != (text[i] == '-')) {
      return false;
    }
    if (!hyphen) {
      halves[digits / 16] = halves[digits / 16] << 4 | static_cast<std::uint64_t>(digit);
      ++digits;
    }
  }
  out = {.high = as_signed(halves[0]), .low = halves[1]};
  return digits == 32;
}

bool uuid_binary(Bytes value, Ordinal& out) noexcept {
  if (value.size() != 16) {
    return false;
  }
  out = {
      .high = as_signed(load_be<std::uint64_t>(value.data())),
      .low = load_be<std::uint64_t>(value.data() + 8)
  };
  return true;
}

bool macaddr_binary(Bytes value, Ordinal& out) noexcept {
  return value.size() == 6 && bytes(value, out);
}

bool macaddr8_binary(Bytes value, Ordinal& out) noexcept {
  return value.size() == 8 && bytes(value, out);
}

bool hex_pairs_text(Bytes value, Ordinal& out) noexcept {
  const std::string_view text = as_text(value);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i % 3 == 2 ? text[i] != ':' : hex_digit(text[i]) < 0) {
      return false;
    }
  }
  return (text.size() == 17 || text.size() == 23) && bytes(value, out);
}

bool network_binary(Bytes value, Ordinal& out) noexcept {
  constexpr int kFamilyV4 = 2;
  ByteReader reader(value);
  const int family = reader.read<std::uint8_t>();
  const auto prefix = reader.read<std::uint8_t>();
  (void)reader.read<std::uint8_t>();  // cidr or inet: does not count
  const auto size = reader.read<std::uint8_t>();
  const Bytes address = reader.read_bytes(size);
  out = {.high = family, .low = prefix, .data = address.data(), .size = address.size()};
  const std::size_t expected = family == kFamilyV4 ? 4 : 16;
  return reader.finished() && (family == kFamilyV4 || family == kFamilyV4 + 1) && size == expected
         && prefix <= expected * 8;
}

bool date_binary(Bytes value, Ordinal& out) noexcept {
  return fixed_binary<std::int32_t>(value, out);  // infinities are the least and the greatest
}

}  // namespace sherd::pgtypes::decode
