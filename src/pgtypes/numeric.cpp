#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include <sherd/base/text.hpp>
#include <sherd/pgtypes/numeric.hpp>

namespace sherd::pgtypes {
namespace {

constexpr int kBase = 10000;
constexpr int kDigitsPerGroup = 4;
constexpr int kMaxWeight = 32767;  // int16 on the wire
constexpr int kMaxScale = 16383;   // 14 bits in the server's header
constexpr int kMaxDivisionScale = 1000;
constexpr int kMinSignificantDigits = 16;
constexpr std::array kPowersOfTen = {1, 10, 100, 1000};

constexpr std::uint16_t kSignPositive = 0x0000;
constexpr std::uint16_t kSignNegative = 0x4000;
constexpr std::uint16_t kSignNan = 0xC000;
constexpr std::uint16_t kSignInfinity = 0xD000;
constexpr std::uint16_t kSignMinusInfinity = 0xF000;
constexpr std::uint16_t kScaleOfInfinity = 0x20;  // numeric_send of the server puts it there

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\n\r\v\f";
  const auto first = text.find_first_not_of(kBlank);
  return first == std::string_view::npos
             ? std::string_view{}
             : text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::unexpected<Error> invalid(std::string_view text) {
  return fail(
      ErrorCode::kInvalidText, fmt::format("invalid input syntax for type numeric: \"{}\"", text)
  );
}

std::unexpected<Error> overflow() {
  return fail(ErrorCode::kOutOfRange, "value overflows numeric format");
}

int floor_div(int a, int b) {
  return a >= 0 ? a / b : -((-a + b - 1) / b);
}
int ceil_div(int a, int b) {
  return -floor_div(-a, b);
}

/// The parts of a decimal text: digits without the point, and how many stand before it.
struct Decimal {
  std::string digits{};
  int before_point = 0;
  int scale = 0;
};

/// Reads an exponent ("e-12") at the start of `rest`; false when malformed. Leaves what follows it.
bool read_exponent(std::string_view& rest, int& exponent) {
  exponent = 0;
  if (rest.empty() || (rest.front() != 'e' && rest.front() != 'E')) {
    return true;
  }
  rest.remove_prefix(1);
  bool negative = false;
  if (!rest.empty() && (rest.front() == '-' || rest.front() == '+')) {
    negative = rest.front() == '-';
    rest.remove_prefix(1);
  }
  if (rest.empty()) {
    return false;
  }
  while (!rest.empty() && is_digit(rest.front())) {
    exponent = std::min(exponent * 10 + (rest.front() - '0'), 10'000'000);
    rest.remove_prefix(1);
  }
  exponent = negative ? -exponent : exponent;
  return true;
}

bool read_decimal(std::string_view text, Decimal& out) {
  bool point = false;
  int after = 0;
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    if (is_digit(text[at])) {
      out.digits.push_back(text[at]);
      after += point ? 1 : 0;
    } else if (text[at] == '.' && !point) {
      point = true;
    } else {
      break;
    }
  }
  std::string_view rest = text.substr(at);
  int exponent = 0;
  if (out.digits.empty() || !read_exponent(rest, exponent) || !rest.empty()) {
    return false;
  }
  out.before_point = static_cast<int>(out.digits.size()) - after + exponent;
  out.scale = std::max(0, after - exponent);
  return true;
}

}  // namespace

Numeric::Numeric(std::int64_t value) : negative_(value < 0) {
  auto rest = static_cast<std::uint64_t>(value);
  rest = negative_ ? 0 - rest : rest;
  for (; rest != 0; rest /= kBase) {
    digits_.push_back(static_cast<std::uint16_t>(rest % kBase));
  }
  std::ranges::reverse(digits_);
  weight_ = digits_.empty() ? 0 : static_cast<int>(digits_.size()) - 1;
  strip();
}

Result<Numeric> Numeric::from_text(std::string_view text) {
  std::string_view rest = trimmed(text);
  Numeric out;
  if (equals_ignoring_case(rest, "nan")) {
    out.kind_ = Kind::kNan;
    return out;
  }
  if (!rest.empty() && (rest.front() == '-' || rest.front() == '+')) {
    out.negative_ = rest.front() == '-';
    rest.remove_prefix(1);
  }
  if (equals_ignoring_case(rest, "infinity") || equals_ignoring_case(rest, "inf")) {
    out.kind_ = Kind::kInfinity;
    return out;
  }
  Decimal decimal;
  if (!read_decimal(rest, decimal)) {
    return invalid(text);
  }
  if (decimal.scale > kMaxScale || decimal.before_point > (kMaxWeight + 1) * kDigitsPerGroup) {
    return overflow();
  }
  out.scale_ = decimal.scale;
  // Groups are aligned to the point: the first one may lack digits on its left.
  const int groups_before = ceil_div(decimal.before_point, kDigitsPerGroup);
  const int lead = groups_before * kDigitsPerGroup - decimal.before_point;
  decimal.digits.insert(0, static_cast<std::size_t>(lead), '0');
  decimal.digits.resize((decimal.digits.size() + 3) / 4 * 4, '0');
  out.weight_ = groups_before - 1;
  for (std::size_t i = 0; i < decimal.digits.size(); i += 4) {
    int group = 0;
    for (std::size_t j = i; j < i + 4; ++j) {
      group = group * 10 + (decimal.digits[j] - '0');
    }
    out.digits_.push_back(static_cast<std::uint16_t>(group));
  }
  out.strip();
  return out;
}

Result<Numeric> Numeric::from_binary(Bytes value) {
  ByteReader reader(value);
  const auto count = reader.read<std::uint16_t>();
  const auto weight = reader.read<std::int16_t>();
  const auto sign = reader.read<std::uint16_t>();
  const auto scale = reader.read<std::uint16_t>();
  if (!reader.ok() || reader.remaining() != count * sizeof(std::uint16_t) || scale > kMaxScale) {
    return fail(ErrorCode::kInvalidBinary, "invalid length in external \"numeric\" value");
  }
  Numeric out;
  switch (sign) {
    case kSignPositive:
      break;
    case kSignNegative:
      out.negative_ = true;
      break;
    case kSignNan:
      out.kind_ = Kind::kNan;
      return out;
    case kSignInfinity:
      out.kind_ = Kind::kInfinity;
      return out;
    case kSignMinusInfinity:
      out.kind_ = Kind::kInfinity;
      out.negative_ = true;
      return out;
    default:
      return fail(ErrorCode::kInvalidBinary, "invalid sign in external \"numeric\" value");
  }
  out.weight_ = weight;
  out.scale_ = scale;
  out.digits_.resize(count);
  for (std::uint16_t& digit : out.digits_) {
    digit = reader.read<std::uint16_t>();
    if (digit >= kBase) {
      return fail(ErrorCode::kInvalidBinary, "invalid digit in external \"numeric\" value");
    }
  }
  out.strip();
  return out;
}

void Numeric::append_text(std::string& out) const {
  if (kind_ != Kind::kFinite) {
    out += kind_ == Kind::kNan ? "NaN" : negative_ ? "-Infinity" : "Infinity";
    return;
  }
  const auto group_at = [this](int weight) -> int {
    const int index = weight_ - weight;
    return index >= 0 && index < static_cast<int>(digits_.size()) ? digits_[index] : 0;
  };
  if (negative_) {
    out += '-';
  }
  if (weight_ < 0 || digits_.empty()) {
    out += '0';
  } else {
    fmt::format_to(std::back_inserter(out), "{}", group_at(weight_));
    for (int w = weight_ - 1; w >= 0; --w) {
      fmt::format_to(std::back_inserter(out), "{:04}", group_at(w));
    }
  }
  if (scale_ > 0) {
    out += '.';
    const std::size_t end = out.size() + static_cast<std::size_t>(scale_);
    for (int w = -1; out.size() < end; --w) {
      fmt::format_to(std::back_inserter(out), "{:04}", group_at(w));
    }
    out.resize(end);
  }
}

std::string Numeric::to_text() const {
  std::string text;
  append_text(text);
  return text;
}

void Numeric::append_binary(std::string& out) const {
  append_be(out, static_cast<std::uint16_t>(digits_.size()));
  append_be(out, static_cast<std::int16_t>(digits_.empty() ? 0 : weight_));
  if (kind_ == Kind::kFinite) {
    append_be(out, negative_ ? kSignNegative : kSignPositive);
    append_be(out, static_cast<std::uint16_t>(scale_));
  } else if (kind_ == Kind::kNan) {
    append_be(out, kSignNan);
    append_be(out, std::uint16_t{0});
  } else {
    append_be(out, negative_ ? kSignMinusInfinity : kSignInfinity);
    append_be(out, kScaleOfInfinity);
  }
  for (const std::uint16_t digit : digits_) {
    append_be(out, digit);
  }
}

void Numeric::strip() {
  while (!digits_.empty() && digits_.back() == 0) {
    digits_.pop_back();
  }
  const auto first = std::ranges::find_if(digits_, [](std::uint16_t d) { return d != 0; });
  weight_ -= static_cast<int>(first - digits_.begin());
  digits_.erase(digits_.begin(), first);
  if (digits_.empty()) {
    weight_ = 0;
    negative_ = negative_ && kind_ != Kind::kFinite;  // no negative zero
  }
}

/// Makes room for groups of weights `bottom`..`top`.
void Numeric::widen(int top, int bottom) {
  if (digits_.empty()) {
    weight_ = top;
  }
  if (top > weight_) {
    digits_.insert(digits_.begin(), static_cast<std::size_t>(top - weight_), 0);
    weight_ = top;
  }
  const int needed = weight_ - bottom + 1;
  if (needed > static_cast<int>(digits_.size())) {
    digits_.resize(static_cast<std::size_t>(needed), 0);
  }
}

int Numeric::compare_magnitude(const Numeric& other) const noexcept {
  if (digits_.empty() || other.digits_.empty()) {
    return static_cast<int>(!digits_.empty()) - static_cast<int>(!other.digits_.empty());
  }
  if (weight_ != other.weight_) {
    return weight_ < other.weight_ ? -1 : 1;
  }
  const auto order = digits_ <=> other.digits_;  // no trailing zeros: a prefix is the smaller
  return order < 0 ? -1 : (order > 0 ? 1 : 0);
}

void Numeric::add_magnitude(const Numeric& other) {
  if (other.digits_.empty()) {
    return;
  }
  const int bottom = other.weight_ - static_cast<int>(other.digits_.size()) + 1;
  widen(std::max(weight_, other.weight_) + 1, bottom);  // one more group for the carry
  int carry = 0;
  for (int w = bottom; w <= weight_ && (w <= other.weight_ || carry != 0); ++w) {
    const auto at = static_cast<std::size_t>(weight_ - w);
    const int sum =
        digits_[at] + carry + (w <= other.weight_ ? other.digits_[other.weight_ - w] : 0);
    carry = sum >= kBase ? 1 : 0;
    digits_[at] = static_cast<std::uint16_t>(sum - carry * kBase);
  }
}

/// |this| - |other|, or |other| - |this|; the result is not negative.
void Numeric::subtract_magnitude(const Numeric& other, bool other_is_larger) {
  if (other.digits_.empty()) {
    return;
  }
  const int bottom = other.weight_ - static_cast<int>(other.digits_.size()) + 1;
  widen(std::max(weight_, other.weight_), bottom);
  int borrow = 0;
  for (auto at = static_cast<int>(digits_.size()) - 1; at >= 0; --at) {
    const int other_at = other.weight_ - (weight_ - at);
    const bool inside = other_at >= 0 && other_at < static_cast<int>(other.digits_.size());
    const int mine = digits_[at];
    const int theirs = inside ? other.digits_[other_at] : 0;
    const int difference = (other_is_larger ? theirs - mine : mine - theirs) - borrow;
    borrow = difference < 0 ? 1 : 0;
    digits_[at] = static_cast<std::uint16_t>(difference + borrow * kBase);
  }
}

void Numeric::add(const Numeric& other) {
  if (kind_ != Kind::kFinite || other.kind_ != Kind::kFinite) {
    const bool opposed = is_infinite() && other.is_infinite() && negative_ != other.negative_;
    if (is_nan() || other.is_nan() || opposed) {
      *this = Numeric();
      kind_ = Kind::kNan;
    } else if (kind_ == Kind::kFinite) {
      *this = other;
    }
    return;
  }
  scale_ = std::max(scale_, other.scale_);
  if (negative_ == other.negative_ || digits_.empty()) {
    negative_ = other.digits_.empty() ? negative_ : other.negative_;
    add_magnitude(other);
  } else {
    const bool larger = compare_magnitude(other) < 0;
    subtract_magnitude(other, larger);
    negative_ = negative_ != larger;
  }
  strip();
}

void Numeric::negate() noexcept {
  if (!is_nan() && !is_zero()) {
    negative_ = !negative_;
  }
}

std::strong_ordering Numeric::compare(const Numeric& other) const noexcept {
  const auto rank = [](const Numeric& n) {
    const int sign = n.negative_ ? -1 : 1;
    switch (n.kind_) {
      case Kind::kNan:
        return 3;
      case Kind::kInfinity:
        return 2 * sign;
      case Kind::kFinite:
        break;
    }
    return n.digits_.empty() ? 0 : sign;
  };
  if (rank(*this) != rank(other)) {
    return rank(*this) <=> rank(other);
  }
  if (kind_ != Kind::kFinite) {
    return std::strong_ordering::equal;
  }
  const int magnitude = compare_magnitude(other);
  return (negative_ ? -magnitude : magnitude) <=> 0;
}

/// Cuts to `scale` decimals, rounding half away from zero.
void Numeric::round_to_scale(int scale) {
  scale_ = scale;
  const int keep =
      (weight_ + 1) * kDigitsPerGroup + scale;  // decimals kept, from the first group on
  const int inside = keep < 0 ? 0 : keep % kDigitsPerGroup;
  const auto groups = static_cast<std::size_t>(ceil_div(std::max(keep, 0), kDigitsPerGroup));
  if (keep < 0) {
    digits_.clear();
  }
  if (groups > digits_.size() || (groups == digits_.size() && inside == 0)) {
    strip();
    return;
  }
  int carry = 0;
  if (inside == 0) {
    carry = digits_[groups] >= kBase / 2 ? 1 : 0;
    digits_.resize(groups);
  } else {
    digits_.resize(groups);
    const int unit = kPowersOfTen[static_cast<std::size_t>(kDigitsPerGroup - inside)];
    const int rest = digits_.back() % unit;
    carry = rest * 2 >= unit ? unit : 0;
    digits_.back() = static_cast<std::uint16_t>(digits_.back() - rest);
  }
  for (std::size_t at = digits_.size(); at-- > 0 && carry != 0;) {
    const int sum = digits_[at] + carry;
    carry = sum / kBase;
    digits_[at] = static_cast<std::uint16_t>(sum % kBase);
  }
  if (carry != 0) {
    digits_.insert(digits_.begin(), 1);
    ++weight_;
  }
  strip();
}

namespace {

/// floor(dividend / divisor) of base-10000 integers; divisor has no leading zero group, dividend at
/// least as many groups. Returns dividend.size() - divisor.size() + 1 groups. Source: Knuth, TAOCP
/// vol. 2, sec. 4.3.1, algorithm D.
std::vector<std::uint16_t> divide_groups(
    std::vector<std::uint32_t> dividend, std::vector<std::uint32_t> divisor
) {
  const std::size_t m = divisor.size();
  const std::size_t steps = dividend.size() - m + 1;
  const std::uint32_t factor = kBase / (divisor.front() + 1);
  const auto scale_up = [factor](std::vector<std::uint32_t>& groups) {
    std::uint32_t carry = 0;
    for (auto at = groups.rbegin(); at != groups.rend(); ++at) {
      const std::uint32_t product = *at * factor + carry;
      *at = product % kBase;
      carry = product / kBase;
    }
  };
  dividend.insert(dividend.begin(), 0);
  scale_up(dividend);
  scale_up(divisor);
  const std::uint32_t next = m > 1 ? divisor[1] : 0;
  std::vector<std::uint16_t> quotient(steps);
  for (std::size_t j = 0; j < steps; ++j) {
    const std::uint32_t top = dividend[j] * kBase + dividend[j + 1];
    std::uint32_t guess = top / divisor[0];
    std::uint32_t rest = top % divisor[0];
    while (guess >= kBase
           || (rest < kBase && m > 1 && guess * next > rest * kBase + dividend[j + 2])) {
      --guess;
      rest += divisor[0];
      if (rest >= kBase && guess < kBase) {
        break;
      }
    }
    std::int32_t borrow = 0;
    for (std::size_t i = m; i-- > 0;) {
      const auto product = static_cast<std::int32_t>(guess * divisor[i]) + borrow;
      std::int32_t value = static_cast<std::int32_t>(dividend[j + i + 1]) - product % kBase;
      borrow = product / kBase + (value < 0 ? 1 : 0);
      value += value < 0 ? kBase : 0;
      dividend[j + i + 1] = static_cast<std::uint32_t>(value);
    }
    if (static_cast<std::int32_t>(dividend[j]) < borrow) {  // guessed one too many: add back
      --guess;
      std::uint32_t carry = 0;
      for (std::size_t i = m; i-- > 0;) {
        const std::uint32_t sum = dividend[j + i + 1] + divisor[i] + carry;
        carry = sum >= kBase ? 1 : 0;
        dividend[j + i + 1] = sum - carry * kBase;
      }
    }
    dividend[j] = 0;
    quotient[j] = static_cast<std::uint16_t>(guess);
  }
  return quotient;
}

}  // namespace

Result<Numeric> Numeric::divide(const Numeric& divisor) const {
  Numeric out;
  if (is_nan() || divisor.is_nan() || (is_infinite() && divisor.is_infinite())) {
    out.kind_ = Kind::kNan;
    return out;
  }
  if (divisor.is_zero()) {
    return fail(ErrorCode::kInvalidParameterValue, "division by zero");
  }
  if (is_infinite()) {
    out.kind_ = Kind::kInfinity;
    out.negative_ = negative_ != divisor.negative_;
    return out;
  }
  if (divisor.is_infinite()) {
    return out;  // the server's constant zero: scale 0
  }
  // The server's select_div_scale: enough decimals for 16 significant digits by a guess from the
  // first groups.
  const int first_group = digits_.empty() ? 0 : digits_.front();
  int quotient_weight = weight_ - divisor.weight_;
  quotient_weight -= first_group <= divisor.digits_.front() ? 1 : 0;
  int scale = std::max(kMinSignificantDigits - quotient_weight * kDigitsPerGroup, 0);
  scale = std::min(std::max({scale, scale_, divisor.scale_}), kMaxDivisionScale);
  out.scale_ = scale;

  const int m = static_cast<int>(divisor.digits_.size());
  const int length = weight_ - divisor.weight_ + m + ceil_div(scale + 1, kDigitsPerGroup);
  if (digits_.empty() || length < m) {
    return out;
  }
  std::vector<std::uint32_t> groups(digits_.begin(), digits_.end());
  groups.resize(static_cast<std::size_t>(length), 0);
  out.digits_ = divide_groups(std::move(groups), {divisor.digits_.begin(), divisor.digits_.end()});
  out.weight_ = weight_ - divisor.weight_;
  out.negative_ = negative_ != divisor.negative_;
  out.round_to_scale(scale);
  if (out.weight_ > kMaxWeight) {
    return overflow();
  }
  return out;
}

}  // namespace sherd::pgtypes
