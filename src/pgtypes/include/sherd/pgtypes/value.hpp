#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <sherd/base/bytes.hpp>
#include <sherd/base/error.hpp>
#include <sherd/base/ids.hpp>
#include <sherd/pgtypes/collation.hpp>

// Values of a column as they stand on the wire: order, equality, conversion between formats. NULL
// is the caller's.
//
// Text format depends on session settings for some types. What does not tell its meaning is
// refused, never guessed:
//   date, timestamp, timestamptz   DateStyle ISO only (other styles have another shape and are
//   refused) interval                       IntervalStyle postgres only money refused in text
//   (depends on lc_monetary) bytea                          bytea_output = hex only
// In binary there is nothing to doubt: ask the shards for binary wherever the choice is free.

namespace sherd::pgtypes {

inline constexpr std::int16_t kTextFormat = 0;
inline constexpr std::int16_t kBinaryFormat = 1;

/// One decoded value, cheap to compare; only values of one Comparator can be compared. Borrows the
/// value's bytes.
struct Ordinal {
  std::int64_t high = 0;  // decides first
  std::uint64_t low = 0;
  const std::byte* data = nullptr;
  std::size_t size = 0;
};

struct Rows;

/// Order and equality of one type in one format, equal to the server's btree order. Copyable;
/// borrows its collation. Thread-safe.
class Comparator {
 public:
  struct TypeRow;  // what is known of a type; a row of the table in value.cpp

  /// Decodes `value` into `out`; false when the bytes are no value of the type, or do not tell
  /// their meaning (see above): refuse with undecodable(value). Allocates nothing.
  [[nodiscard]] bool decode(Bytes value, Ordinal& out) const noexcept {
    return decode_(value, out);
  }
  /// Why decode refused: kUnsupported with a hint.
  [[nodiscard]] Error undecodable(Bytes value) const;

  [[nodiscard]] std::strong_ordering compare(const Ordinal& a, const Ordinal& b) const noexcept {
    if (a.high != b.high) {
      return a.high <=> b.high;
    }
    return compare_rest(a, b);
  }
  /// Both in one; for what is compared once.
  [[nodiscard]] Result<std::strong_ordering> compare_values(Bytes a, Bytes b) const;

  /// Appends a form that two values share iff they are equal for GROUP BY and DISTINCT (1.0 = 1.00,
  /// -0 = 0, NaN = NaN, bpchar without trailing blanks). Self-delimiting, so forms of several
  /// columns may follow one another. Only forms of one type and format can be compared.
  void append_canonical(const Ordinal& value, std::string& out) const;

 private:
  friend struct Rows;
  friend Result<Comparator> make_comparator(Oid, std::int16_t, const Collation*);
  friend Result<Comparator> make_equality(Oid, std::int16_t);

  using Decode = bool (*)(Bytes, Ordinal&) noexcept;
  enum class Rule : std::uint8_t { kFixed, kBytes, kNumber, kText, kNetwork };

  Comparator(const TypeRow& row, Rule rule, Decode decode, const Collation* collation) noexcept
      : row_(&row), rule_(rule), decode_(decode), collation_(collation) {}
  [[nodiscard]] std::strong_ordering compare_rest(const Ordinal& a, const Ordinal& b)
      const noexcept;

  const TypeRow* row_;
  Rule rule_;
  Decode decode_;
  const Collation* collation_;
};

/// @param collation  of text types (borrowed; must outlive the comparator); ignored for others.
/// @return kUnsupported naming the type and what to change: enums, arrays, json, jsonb, composite
/// and unknown types; text
///         types without a collation.
[[nodiscard]] Result<Comparator> make_comparator(
    Oid type, std::int16_t format, const Collation* collation
);

/// Equality alone (compare() orders text by bytes, which is not the server's order): needs no
/// collation, but the caller must know that the column's collation is deterministic.
[[nodiscard]] Result<Comparator> make_equality(Oid type, std::int16_t format);

/// The canonical form of one value; see Comparator::append_canonical.
[[nodiscard]] Result<> append_canonical(
    Oid type, std::int16_t format, Bytes value, std::string& out
);

/// "bigint", "timestamp with time zone", or "type 12345".
[[nodiscard]] std::string type_name(Oid type);

/// How the client wants floats as text: its extra_float_digits (PostgreSQL's default is 1: shortest
/// exact).
struct TextSettings {
  int extra_float_digits = 1;
};

/// Whether convert can bring values of `type` from one format to the other. Always true for equal
/// formats.
[[nodiscard]] bool is_convertible(Oid type, std::int16_t from, std::int16_t to) noexcept;
/// Appends `value` in format `to`, exactly as the server would have sent it: bool, integers, oid,
/// floats, numeric, text types, bytea, uuid. kInvalidText or kInvalidBinary for a malformed value,
/// kUnsupported for other types.
[[nodiscard]] Result<> convert(
    Oid type, std::int16_t from, std::int16_t to, Bytes value, const TextSettings& settings,
    std::string& out
);

/// As the server prints them (float8out, float4out).
void append_float8_text(double value, const TextSettings& settings, std::string& out);
void append_float4_text(float value, const TextSettings& settings, std::string& out);
/// As the server reads its own output: also "NaN", "Infinity", "-Infinity". False when malformed or
/// out of range.
[[nodiscard]] bool parse_float8(std::string_view text, double& out) noexcept;
[[nodiscard]] bool parse_float4(std::string_view text, float& out) noexcept;

}  // namespace sherd::pgtypes
