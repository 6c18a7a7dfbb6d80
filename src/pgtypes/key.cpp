#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <limits>

#include <fmt/format.h>

#include <sherd/pgtypes/key.hpp>
#include <sherd/pgtypes/oid.hpp>

#include "hash.hpp"
#include "key_datetime.hpp"
#include "key_numeric.hpp"

namespace sherd::pgtypes {
namespace {

// How a type's values reach their key, in the order of KeyType.
enum class Form : std::uint8_t { kInteger, kText, kUuid, kDatetime, kNumeric };

struct TypeRow {
  KeyType type;
  Oid oid;
  std::string_view name;
  Form form;
  std::uint8_t size;  // bytes on the wire, 0 where it varies
};

constexpr std::array kTypes = {
    TypeRow{KeyType::kInt2, oid::kInt2, "smallint", Form::kInteger, 2},
    TypeRow{KeyType::kInt4, oid::kInt4, "integer", Form::kInteger, 4},
    TypeRow{KeyType::kInt8, oid::kInt8, "bigint", Form::kInteger, 8},
    TypeRow{KeyType::kText, oid::kText, "text", Form::kText, 0},
    TypeRow{KeyType::kVarchar, oid::kVarchar, "character varying", Form::kText, 0},
    TypeRow{KeyType::kUuid, oid::kUuid, "uuid", Form::kUuid, 16},
    TypeRow{KeyType::kDate, oid::kDate, "date", Form::kDatetime, 4},
    TypeRow{
        KeyType::kTimestamp, oid::kTimestamp, "timestamp without time zone", Form::kDatetime, 8
    },
    TypeRow{
        KeyType::kTimestamptz, oid::kTimestamptz, "timestamp with time zone", Form::kDatetime, 8
    },
    TypeRow{KeyType::kNumeric, oid::kNumeric, "numeric", Form::kNumeric, 0},
};

constexpr const TypeRow& row_of(KeyType type) noexcept {
  return kTypes[static_cast<std::size_t>(type)];
}
static_assert([] {
  for (std::size_t i = 0; i < kTypes.size(); ++i) {
    if (static_cast<std::size_t>(kTypes[i].type) != i) {
      return false;
    }
  }
  return true;
}());

bool is_space(char c) noexcept {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

std::unexpected<Error> invalid_text(KeyType type, std::string_view text) {
  return fail(
      ErrorCode::kInvalidText,
      fmt::format("invalid input syntax for type {}: \"{}\"", row_of(type).name, text)
  );
}

std::unexpected<Error> out_of_range(KeyType type, std::string_view text) {
  return fail(
      ErrorCode::kOutOfRange,
      fmt::format("value \"{}\" is out of range for type {}", text, row_of(type).name)
  );
}

bool fits_width(KeyType type, std::int64_t value) noexcept {
  const int unused_bits = 64 - 8 * row_of(type).size;
  return (value << unused_bits) >> unused_bits == value;
}

constexpr std::array<std::uint8_t, 256> kDigits = [] {
  std::array<std::uint8_t, 256> digits{};
  digits.fill(99);  // no digit of any base
  for (unsigned i = 0; i < 16; ++i) {
    digits[static_cast<unsigned char>("0123456789abcdef"[i])] = static_cast<std::uint8_t>(i);
    digits[static_cast<unsigned char>("0123456789ABCDEF"[i])] = static_cast<std::uint8_t>(i);
  }
  return digits;
}();

int digit_of(char c) noexcept {
  return kDigits[static_cast<unsigned char>(c)];
}

// Digits of `base` with underscores between them, as servers from 16 on read them (older ones
// refuse prefix and underscore, which is theirs to say: every server that accepts the text means
// this value). Too big is said as soon as it shows, before the rest is looked at, as the server
// does.
enum class Scan : std::uint8_t { kGood, kBad, kTooBig };
Scan scan_digits(
    std::string_view text, int base, std::uint64_t limit, std::uint64_t& magnitude
) noexcept {
  magnitude = 0;
  bool underscore_may_follow = base != 10;
  bool after_digit = false;
  for (const char c : text) {
    if (c == '_' && underscore_may_follow) {
      underscore_may_follow = after_digit = false;
      continue;
    }
    const int digit = digit_of(c);
    if (digit >= base) {
      return Scan::kBad;
    }
    if (__builtin_mul_overflow(magnitude, static_cast<std::uint64_t>(base), &magnitude)
        || __builtin_add_overflow(magnitude, static_cast<std::uint64_t>(digit), &magnitude)
        || magnitude > limit) {
      return Scan::kTooBig;
    }
    underscore_may_follow = after_digit = true;
  }
  return after_digit ? Scan::kGood : Scan::kBad;
}

Result<Key> integer_from_text(KeyType type, std::string_view text) {
  std::string_view body = text;
  while (!body.empty() && is_space(body.front())) {
    body.remove_prefix(1);
  }
  while (!body.empty() && is_space(body.back())) {
    body.remove_suffix(1);
  }
  const bool negative = body.starts_with('-');
  if (negative || body.starts_with('+')) {
    body.remove_prefix(1);
  }
  int base = 10;
  if (body.size() > 2 && body[0] == '0') {
    const char letter = static_cast<char>(body[1] | 0x20);
    base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 10;
    body.remove_prefix(base == 10 ? 0 : 2);
  }
  const int bits = 8 * row_of(type).size;
  const std::uint64_t limit = (std::uint64_t{1} << (bits - 1)) - (negative ? 0 : 1);
  std::uint64_t magnitude = 0;
  switch (scan_digits(body, base, limit, magnitude)) {
    case Scan::kGood:
      return integer_key(type, static_cast<std::int64_t>(negative ? 0 - magnitude : magnitude));
    case Scan::kTooBig:
      return out_of_range(type, text);
    case Scan::kBad:
      break;
  }
  return invalid_text(type, text);
}

// 32 hexadecimal digits in any case, a hyphen allowed after each four, braces round it all
// (uuid_in).
Result<Key> uuid_from_text(std::string_view text) {
  Key key{.type = KeyType::kUuid};
  std::string_view body = text;
  if (body.starts_with('{')) {
    if (!body.ends_with('}')) {
      return invalid_text(KeyType::kUuid, text);
    }
    body = body.substr(1, body.size() - 2);
  }
  for (std::size_t i = 0; i < key.uuid.size(); ++i) {
    const int high = body.size() < 2 ? 99 : digit_of(body[0]);
    const int low = body.size() < 2 ? 99 : digit_of(body[1]);
    if (high > 15 || low > 15) {
      return invalid_text(KeyType::kUuid, text);
    }
    key.uuid[i] = static_cast<std::byte>(high << 4 | low);
    body.remove_prefix(2);
    if (i % 2 == 1 && i + 1 < key.uuid.size() && body.starts_with('-')) {
      body.remove_prefix(1);
    }
  }
  if (!body.empty()) {
    return invalid_text(KeyType::kUuid, text);
  }
  return key;
}

Result<Key> text_key(KeyType type, std::string_view text) {
  return Key{.type = type, .text = text};
}

Result<Key> datetime_key(KeyType type, Result<std::int64_t> value) {
  if (!value) {
    return fail(std::move(value).error());
  }
  return Key{.type = type, .integer = *value};
}

Result<Key> numeric_key(Result<std::string_view> text) {
  if (!text) {
    return fail(std::move(text).error());
  }
  return Key{.type = KeyType::kNumeric, .text = *text};
}

std::int64_t read_integer(Bytes value) noexcept {
  switch (value.size()) {
    case 2:
      return load_be<std::int16_t>(value.data());
    case 4:
      return load_be<std::int32_t>(value.data());
    default:
      return load_be<std::int64_t>(value.data());
  }
}

// Date infinities are the ends of int32 on the wire, of int64 in a key.
std::int64_t widen_date(std::int64_t days) noexcept {
  using Narrow = std::numeric_limits<std::int32_t>;
  using Wide = std::numeric_limits<std::int64_t>;
  return days == Narrow::max() ? Wide::max() : days == Narrow::min() ? Wide::min() : days;
}

// Whether a value of type `wire` is a value of `type` as it stands.
bool is_readable(KeyType type, Oid wire) noexcept {
  switch (row_of(type).form) {
    case Form::kInteger:
      return wire == oid::kInt2 || wire == oid::kInt4 || wire == oid::kInt8;
    case Form::kText:
      return wire == oid::kText || wire == oid::kVarchar || wire == oid::kUnknown;
    default:
      return wire == row_of(type).oid;
  }
}

std::size_t wire_size(Oid wire) noexcept {
  const auto type = key_type_of(wire);
  return type ? row_of(*type).size : 0;
}

// Byte index behind the first `count` characters of UTF-8 `text`, or its size.
std::size_t offset_of_character(std::string_view text, std::size_t count) noexcept {
  std::size_t at = 0;
  while (at < text.size()) {
    const bool continues = (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
    if (!continues && count-- == 0) {
      break;
    }
    ++at;
  }
  return at;
}

std::string_view uuid_text(const std::array<std::byte, 16>& uuid, KeyTextBuffer& buffer) noexcept {
  static constexpr std::string_view kHex = "0123456789abcdef";
  char* out = buffer.data();
  for (std::size_t i = 0; i < uuid.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) {
      *out++ = '-';
    }
    const auto byte = static_cast<std::uint8_t>(uuid[i]);
    *out++ = kHex[byte >> 4];
    *out++ = kHex[byte & 15];
  }
  return {buffer.data(), out};
}

}  // namespace

std::optional<KeyType> key_type_of(Oid type) noexcept {
  const auto* row = std::ranges::find(kTypes, type, &TypeRow::oid);
  return row == kTypes.end() ? std::nullopt : std::optional(row->type);
}

Oid oid_of(KeyType type) noexcept {
  return row_of(type).oid;
}

std::string_view name_of(KeyType type) noexcept {
  return row_of(type).name;
}

Result<Key> key_from_text(KeyType type, std::string_view text, std::string& scratch) {
  switch (row_of(type).form) {
    case Form::kInteger:
      return integer_from_text(type, text);
    case Form::kText:
      return text_key(type, text);
    case Form::kUuid:
      return uuid_from_text(text);
    case Form::kDatetime:
      return datetime_key(type, datetime_from_text(type, text));
    case Form::kNumeric:
      return numeric_key(numeric_from_text(text, scratch));
  }
  return fail(ErrorCode::kInternal, "key type is out of range");
}

Result<Key> key_from_binary(KeyType type, Oid wire_type, Bytes value, std::string& scratch) {
  const Oid wire = wire_type == 0 ? oid_of(type) : wire_type;
  if (!is_readable(type, wire)) {
    return fail(
        ErrorCode::kUnsupported,
        fmt::format(
            "a binary value of type {} cannot be read as a key of type {}", wire, name_of(type)
        ),
        fmt::format("declare the parameter as {}", name_of(type))
    );
  }
  if (const std::size_t size = wire_size(wire); size != 0 && value.size() != size) {
    return fail(
        ErrorCode::kInvalidBinary,
        fmt::format(
            "incorrect binary data format: {} bytes for type {}", value.size(), name_of(type)
        )
    );
  }
  switch (row_of(type).form) {
    case Form::kInteger: {
      const std::int64_t number = read_integer(value);
      if (!fits_width(type, number)) {
        return out_of_range(type, std::to_string(number));
      }
      return integer_key(type, number);
    }
    case Form::kText:
      return text_key(type, as_text(value));
    case Form::kUuid: {
      Key key{.type = type};
      std::memcpy(key.uuid.data(), value.data(), key.uuid.size());
      return key;
    }
    case Form::kDatetime: {
      const std::int64_t number = read_integer(value);
      const bool is_date = type == KeyType::kDate;
      return datetime_key(type, checked_datetime(type, is_date ? widen_date(number) : number));
    }
    case Form::kNumeric:
      return numeric_key(numeric_from_binary(value, scratch));
  }
  return fail(ErrorCode::kInternal, "key type is out of range");
}

Key integer_key(KeyType type, std::int64_t value) noexcept {
  return Key{.type = type, .integer = value};
}

std::string_view canonical_text(const Key& key, KeyTextBuffer& buffer) noexcept {
  switch (row_of(key.type).form) {
    case Form::kInteger:
      return {buffer.data(), std::to_chars(buffer.begin(), buffer.end(), key.integer).ptr};
    case Form::kUuid:
      return uuid_text(key.uuid, buffer);
    case Form::kDatetime:
      return {};
    case Form::kText:
    case Form::kNumeric:
      break;
  }
  return key.text;
}

std::string_view canonical_text(const Key& key, std::string& scratch) {
  switch (row_of(key.type).form) {
    case Form::kInteger:
    case Form::kUuid: {
      KeyTextBuffer buffer;
      scratch = canonical_text(key, buffer);
      return scratch;
    }
    case Form::kDatetime:
      scratch.clear();
      append_datetime(key.type, key.integer, scratch);
      return scratch;
    case Form::kText:
    case Form::kNumeric:
      break;
  }
  return key.text;
}

Key stored_key(const Key& key, std::int32_t typmod, std::string& scratch) {
  Key stored = key;
  if (typmod < 0) {
    return stored;
  }
  switch (key.type) {
    case KeyType::kVarchar: {
      // varchar(n): blanks past n characters are cut off, anything else there is refused.
      const auto limit = static_cast<std::size_t>(std::max(typmod - 4, 0));
      const std::size_t end = offset_of_character(key.text, limit);
      if (key.text.find_first_not_of(' ', end) == std::string_view::npos) {
        stored.text = key.text.substr(0, end);
      }
      break;
    }
    case KeyType::kTimestamp:
    case KeyType::kTimestamptz:
      stored.integer = round_timestamp(key.integer, typmod);
      break;
    case KeyType::kNumeric:
      stored.text = round_numeric(key.text, typmod, scratch);
      break;
    default:
      break;
  }
  return stored;
}

std::strong_ordering compare(const Key& a, const Key& b) noexcept {
  switch (row_of(a.type).form) {
    case Form::kInteger:
    case Form::kDatetime:
      return a.integer <=> b.integer;
    case Form::kText:
      return a.text.compare(b.text) <=> 0;
    case Form::kUuid:
      return std::memcmp(a.uuid.data(), b.uuid.data(), a.uuid.size()) <=> 0;
    case Form::kNumeric:
      return compare_numeric(a.text, b.text);
  }
  return std::strong_ordering::equal;
}

std::uint64_t partition_hash(const Key& key) noexcept {
  // The one column's hash is combined with a row hash of zero.
  switch (row_of(key.type).form) {
    case Form::kText:
      return hashing::combine(0, hashing::hash_bytes(as_bytes(key.text), hashing::kPartitionSeed));
    case Form::kUuid:
      return hashing::combine(0, hashing::hash_bytes(key.uuid, hashing::kPartitionSeed));
    default:
      return hashing::combine(0, hashing::hash_int64(key.integer, hashing::kPartitionSeed));
  }
}

}  // namespace sherd::pgtypes
