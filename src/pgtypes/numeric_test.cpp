#include <array>
#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <sherd/pgtypes/numeric.hpp>

namespace sherd::pgtypes {
namespace {

__extension__ using Wide = __int128;

Numeric number(std::string_view text) {
  auto parsed = Numeric::from_text(text);
  EXPECT_TRUE(parsed) << text;
  return parsed ? *std::move(parsed) : Numeric();
}

std::string quotient(std::string_view a, std::string_view b) {
  const auto result = number(a).divide(number(b));
  return result ? result->to_text() : result.error().message;
}

TEST(Numeric, TextOfTheServerComesBackUnchanged) {
  constexpr std::array kTexts = {
      "0",
      "0.00",
      "1",
      "-1",
      "10000",
      "9999",
      "0.0001",
      "-0.00010",
      "123456789012345678901234567890.12345",
      "0.00000000000000000001",
      "100000000",
      "NaN",
      "Infinity",
      "-Infinity",
      "10000.0000",
      "1.5",
  };
  for (const std::string_view text : kTexts) {
    EXPECT_EQ(number(text).to_text(), text);
  }
}

TEST(Numeric, OtherSpellingsAreRead) {
  EXPECT_EQ(number(" +1.50 ").to_text(), "1.50");
  EXPECT_EQ(number("-0").to_text(), "0");
  EXPECT_EQ(number(".5").to_text(), "0.5");
  EXPECT_EQ(number("5.").to_text(), "5");
  EXPECT_EQ(number("1.5e3").to_text(), "1500");
  EXPECT_EQ(number("1.5E-3").to_text(), "0.0015");
  EXPECT_EQ(number("00012").to_text(), "12");
  EXPECT_EQ(number("inf").to_text(), "Infinity");
}

TEST(Numeric, MalformedTextIsRefused) {
  for (const std::string_view text :
       {"", " ", "-", ".", "1e", "1e+", "1..2", "1.2.3", "0x10", "-NaN", "1 2", "e5"}) {
    const auto parsed = Numeric::from_text(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidText);
  }
  EXPECT_EQ(Numeric::from_text("1e1000000").error().code, ErrorCode::kOutOfRange);
}

TEST(Numeric, WireFormIsTheServers) {
  const auto wire = [](std::string_view text) {
    std::string out;
    number(text).append_binary(out);
    return out;
  };
  using namespace std::string_literals;
  EXPECT_EQ(wire("0.00"), "\0\0\0\0\0\0\0\2"s);
  EXPECT_EQ(wire("-12.5"), "\0\2\0\0\x40\0\0\1\0\x0c\x13\x88"s);
  EXPECT_EQ(wire("NaN"), "\0\0\0\0\xc0\0\0\0"s);
  EXPECT_EQ(wire("Infinity"), "\0\0\0\0\xd0\0\0\x20"s);
  EXPECT_EQ(wire("-Infinity"), "\0\0\0\0\xf0\0\0\x20"s);
}

TEST(Numeric, MalformedWireFormIsRefused) {
  using namespace std::string_literals;
  const std::string good = "\0\2\0\0\x40\0\0\1\0\x0c\x13\x88"s;
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(Numeric::from_binary(as_bytes(good).first(size))) << size;
  }
  EXPECT_FALSE(Numeric::from_binary(as_bytes("\0\1\0\0\0\0\0\0\x27\x10"s)));  // group 10000
  EXPECT_FALSE(Numeric::from_binary(as_bytes("\0\0\0\0\x12\x34\0\0"s)));      // no such sign
}

std::string text_of(Wide value, int scale) {
  std::string digits;
  const bool negative = value < 0;
  value = negative ? -value : value;
  while (value != 0 || static_cast<int>(digits.size()) <= scale) {
    digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(value % 10)));
    value /= 10;
  }
  if (scale > 0) {
    digits.insert(digits.size() - static_cast<std::size_t>(scale), 1, '.');
  }
  return (negative ? "-" : "") + digits;
}

/// A whole number of 10^-scale with any number of digits.
struct Decimal {
  std::int64_t units;
  int scale;
};

Decimal random_decimal(std::mt19937_64& random) {
  const auto bits = random() % 62;
  auto units = static_cast<std::int64_t>(random() >> (63 - bits) >> 1);
  units = random() % 2 == 0 ? units : -units;
  return {units, static_cast<int>(random() % 9)};
}

Wide scaled(const Decimal& value, int scale) {
  Wide out = value.units;
  for (int i = value.scale; i < scale; ++i) {
    out *= 10;
  }
  return out;
}

TEST(Numeric, SumsOfGeneratedNumbersAreExact) {
  std::mt19937_64 random(11);
  for (int i = 0; i < 200'000; ++i) {
    const Decimal a = random_decimal(random);
    const Decimal b = random_decimal(random);
    const int scale = std::max(a.scale, b.scale);
    Numeric sum = number(text_of(a.units, a.scale));
    sum.add(number(text_of(b.units, b.scale)));
    ASSERT_EQ(sum.to_text(), text_of(scaled(a, scale) + scaled(b, scale), scale));
  }
}

TEST(Numeric, OrderOfGeneratedNumbersIsThatOfTheirValues) {
  std::mt19937_64 random(12);
  for (int i = 0; i < 100'000; ++i) {
    const Decimal a = random_decimal(random);
    Decimal b = random_decimal(random);
    if (i % 4 == 0) {
      b = {a.units, a.scale};
    }
    const auto expected = scaled(a, 9) <=> scaled(b, 9);
    ASSERT_EQ(
        number(text_of(a.units, a.scale)).compare(number(text_of(b.units, b.scale))), expected
    );
  }
}

TEST(Numeric, ConstructedFromAnIntegerIsThatInteger) {
  std::mt19937_64 random(13);
  for (int i = 0; i < 10'000; ++i) {
    const Decimal a = random_decimal(random);
    ASSERT_EQ(Numeric(a.units).to_text(), std::to_string(a.units));
  }
  EXPECT_EQ(Numeric(std::numeric_limits<std::int64_t>::min()).to_text(), "-9223372036854775808");
}

TEST(Numeric, QuotientHasTheServersScaleAndRounding) {
  EXPECT_EQ(quotient("10", "4"), "2.5000000000000000");
  EXPECT_EQ(quotient("1", "3"), "0.33333333333333333333");
  EXPECT_EQ(quotient("2", "3"), "0.66666666666666666667");
  EXPECT_EQ(quotient("-2", "3"), "-0.66666666666666666667");
  EXPECT_EQ(quotient("100000", "3"), "33333.333333333333");
  EXPECT_EQ(quotient("0", "3"), "0.00000000000000000000");
  EXPECT_EQ(quotient("1.5", "0"), "division by zero");
  EXPECT_EQ(quotient("NaN", "0"), "NaN");
  EXPECT_EQ(quotient("Infinity", "-3"), "-Infinity");
  EXPECT_EQ(quotient("5", "Infinity"), "0");
}

/// The quotient by long division of decimal digits, to `scale` decimals, rounded half away from
/// zero.
std::string slow_quotient(Wide a, Wide b, int scale) {
  const bool negative = (a < 0) != (b < 0);
  a = a < 0 ? -a : a;
  b = b < 0 ? -b : b;
  std::string digits = text_of(a / b, 0);
  Wide rest = a % b;
  for (int i = 0; i <= scale; ++i) {
    rest *= 10;
    digits += static_cast<char>('0' + static_cast<int>(rest / b));
    rest %= b;
  }
  const bool up = digits.back() >= '5';
  digits.pop_back();
  for (auto at = digits.rbegin(); up && at != digits.rend(); ++at) {
    if (*at != '9') {
      ++*at;
      break;
    }
    *at = '0';
    if (std::next(at) == digits.rend()) {
      digits.insert(digits.begin(), '1');
      break;
    }
  }
  if (scale > 0) {
    digits.insert(digits.size() - static_cast<std::size_t>(scale), 1, '.');
  }
  const bool zero = digits.find_first_not_of("0.") == std::string::npos;
  return (negative && !zero ? "-" : "") + digits;
}

TEST(Numeric, GeneratedQuotientsEqualLongDivision) {
  std::mt19937_64 random(14);
  for (int i = 0; i < 100'000; ++i) {
    const Decimal a = random_decimal(random);
    const Decimal b = random_decimal(random);
    if (b.units == 0) {
      continue;
    }
    const auto result = number(text_of(a.units, a.scale)).divide(number(text_of(b.units, b.scale)));
    ASSERT_TRUE(result);
    const int scale = std::max(a.scale, b.scale);
    ASSERT_EQ(result->to_text(), slow_quotient(scaled(a, scale), scaled(b, scale), result->scale()))
        << text_of(a.units, a.scale) << " / " << text_of(b.units, b.scale);
  }
}

TEST(Numeric, SpecialValuesSumAsOnTheServer) {
  const auto sum = [](std::string_view a, std::string_view b) {
    Numeric out = number(a);
    out.add(number(b));
    return out.to_text();
  };
  EXPECT_EQ(sum("NaN", "1"), "NaN");
  EXPECT_EQ(sum("1", "NaN"), "NaN");
  EXPECT_EQ(sum("Infinity", "1"), "Infinity");
  EXPECT_EQ(sum("1", "-Infinity"), "-Infinity");
  EXPECT_EQ(sum("Infinity", "-Infinity"), "NaN");
}

}  // namespace
}  // namespace sherd::pgtypes
