#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <sherd/base/bytes.hpp>
#include <sherd/base/error.hpp>

namespace sherd::pgtypes {

/// PostgreSQL's numeric: an exact decimal with a display scale, NaN, or an infinity. A value type;
/// every operation gives the digits and the scale that the server gives. Source: PostgreSQL manual
/// sec. 8.1.2; src/backend/utils/adt/numeric.c for scales and rounding.
class Numeric {
 public:
  Numeric() = default;  // 0, scale 0
  explicit Numeric(std::int64_t value);

  /// From the server's text form ("-12.50", "NaN", "Infinity"), also with an exponent; blanks
  /// around are allowed. kInvalidText, kOutOfRange ("value overflows numeric format").
  [[nodiscard]] static Result<Numeric> from_text(std::string_view text);
  /// From the wire: int16 digits, int16 weight, uint16 sign, uint16 scale, digits of base 10000.
  /// kInvalidBinary.
  [[nodiscard]] static Result<Numeric> from_binary(Bytes value);

  void append_text(std::string& out) const;
  void append_binary(std::string& out) const;
  [[nodiscard]] std::string to_text() const;

  /// Adds in place; the scale becomes the larger one. Infinity + -Infinity is NaN, NaN stays NaN.
  /// Amortised without allocation when the sum is no longer than what it held before.
  void add(const Numeric& other);
  void negate() noexcept;
  /// Quotient with the server's scale (at least 16 significant digits, at least the scales of both,
  /// at most 1000), rounded half away from zero. kDivisionByZero is a kInvalidParameterValue;
  /// kOutOfRange when it does not fit.
  [[nodiscard]] Result<Numeric> divide(const Numeric& divisor) const;

  /// -Infinity < numbers < Infinity < NaN; NaN equals NaN; scale does not count.
  [[nodiscard]] std::strong_ordering compare(const Numeric& other) const noexcept;

  [[nodiscard]] bool is_nan() const noexcept { return kind_ == Kind::kNan; }
  [[nodiscard]] bool is_infinite() const noexcept { return kind_ == Kind::kInfinity; }
  [[nodiscard]] bool is_negative() const noexcept { return negative_; }
  [[nodiscard]] bool is_zero() const noexcept { return kind_ == Kind::kFinite && digits_.empty(); }
  [[nodiscard]] int scale() const noexcept { return scale_; }
  /// Bytes of heap that this value holds.
  [[nodiscard]] std::size_t heap_bytes() const noexcept {
    return digits_.capacity() * sizeof(std::uint16_t);
  }

 private:
  enum class Kind : std::uint8_t { kFinite, kInfinity, kNan };

  [[nodiscard]] int compare_magnitude(const Numeric& other) const noexcept;
  void add_magnitude(const Numeric& other);
  void subtract_magnitude(const Numeric& other, bool other_is_larger);
  void widen(int top, int bottom);
  void strip();
  void round_to_scale(int scale);

  // Value = sum of digits_[i] * 10000^(weight_ - i). Without leading and trailing zero digits; zero
  // has none.
  std::vector<std::uint16_t> digits_{};
  int weight_ = 0;
  int scale_ = 0;
  bool negative_ = false;
  Kind kind_ = Kind::kFinite;
};

}  // namespace sherd::pgtypes
