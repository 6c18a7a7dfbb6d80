#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sherd/pgtypes/oid.hpp>
#include <sherd/pgtypes/value.hpp>

// Order and equality are compared with the server's in tests/integration/value_oracle_test.cpp;
// here stand the edges that need no server.

namespace sherd::pgtypes {
namespace {

using testing::HasSubstr;

bool is_readable(Oid type, std::int16_t format, std::string_view value) {
  const auto comparator = make_equality(type, format);
  Ordinal out;
  return comparator && comparator->decode(as_bytes(value), out);
}

std::string form(Oid type, std::int16_t format, std::string_view value) {
  std::string out;
  EXPECT_TRUE(append_canonical(type, format, as_bytes(value), out)) << value;
  return out;
}

TEST(Value, EqualValuesShareTheirCanonicalForm) {
  EXPECT_EQ(form(oid::kNumeric, 0, "1.0"), form(oid::kNumeric, 0, "1.000"));
  EXPECT_EQ(form(oid::kNumeric, 0, "100"), form(oid::kNumeric, 0, "100.0"));
  EXPECT_EQ(form(oid::kFloat8, 0, "-0"), form(oid::kFloat8, 0, "0"));
  EXPECT_EQ(form(oid::kBpchar, 0, "a  "), form(oid::kBpchar, 0, "a"));
  EXPECT_EQ(form(oid::kInterval, 0, "1 mon"), form(oid::kInterval, 0, "30 days"));
  EXPECT_EQ(form(oid::kInterval, 0, "1 day"), form(oid::kInterval, 0, "24:00:00"));
}

TEST(Value, DifferentValuesHaveDifferentForms) {
  EXPECT_NE(form(oid::kNumeric, 0, "10"), form(oid::kNumeric, 0, "1"));
  EXPECT_NE(form(oid::kNumeric, 0, "-1"), form(oid::kNumeric, 0, "1"));
  EXPECT_NE(form(oid::kText, 0, "a "), form(oid::kText, 0, "a"));
  EXPECT_NE(form(oid::kTimetz, 0, "10:00:00+01"), form(oid::kTimetz, 0, "09:00:00+00"));
}

TEST(Value, CanonicalFormsOfSeveralColumnsCannotRunTogether) {
  EXPECT_NE(
      form(oid::kText, 0, "ab") + form(oid::kText, 0, "c"),
      form(oid::kText, 0, "a") + form(oid::kText, 0, "bc")
  );
}

TEST(Value, TextOfOtherOutputStylesIsRefused) {
  for (const char* date : {"31.12.2024", "12/31/2024", "31-12-2024", "12-31-2024", "now", ""}) {
    EXPECT_FALSE(is_readable(oid::kDate, 0, date)) << date;
  }
  for (const char* time :
       {"Tue Dec 31 10:00:00 2024", "31.12.2024 10:00:00", "31/12/2024 10:00:00"}) {
    EXPECT_FALSE(is_readable(oid::kTimestamp, 0, time)) << time;
  }
  EXPECT_FALSE(is_readable(oid::kTimestamptz, 0, "2024-12-31 10:00:00"));  // no offset
  for (const char* interval :
       {"@ 1 day", "P1Y2M", "1-2", "3 4:05:06", "0", "1 day ago", "", "1 day "}) {
    EXPECT_FALSE(is_readable(oid::kInterval, 0, interval)) << interval;
  }
  EXPECT_FALSE(is_readable(oid::kBytea, 0, "\\\\abc"));
}

TEST(Value, IsoTextIsRead) {
  EXPECT_TRUE(is_readable(oid::kDate, 0, "0044-03-15 BC"));
  EXPECT_TRUE(is_readable(oid::kDate, 0, "-infinity"));
  EXPECT_TRUE(is_readable(oid::kTimestamptz, 0, "1880-01-01 00:00:00+00:53:28"));
  EXPECT_TRUE(is_readable(oid::kTimestamp, 0, "294276-12-31 23:59:59.999999"));
  EXPECT_TRUE(is_readable(oid::kInterval, 0, "-1 years -2 mons +3 days -04:05:06.7"));
}

TEST(Value, RefusalNamesTheSettingToChange) {
  const auto comparator = make_comparator(oid::kDate, 0, nullptr);
  ASSERT_TRUE(comparator);
  const Error error = comparator->undecodable(as_bytes("31.12.2024"));
  EXPECT_EQ(error.code, ErrorCode::kUnsupported);
  EXPECT_THAT(error.message, HasSubstr("31.12.2024"));
  EXPECT_THAT(error.hint, HasSubstr("datestyle"));
}

TEST(Value, TypesWithoutAKnownOrderAreRefusedByName) {
  for (const Oid type : {oid::kJson, oid::kJsonb, oid::kInt4Array, Oid{16'400}}) {
    const auto comparator = make_comparator(type, kBinaryFormat, &Collation::bytes());
    ASSERT_FALSE(comparator);
    EXPECT_EQ(comparator.error().code, ErrorCode::kUnsupported);
    EXPECT_THAT(comparator.error().message, HasSubstr(type_name(type)));
    EXPECT_FALSE(comparator.error().hint.empty());
  }
  EXPECT_FALSE(make_comparator(oid::kText, kTextFormat, nullptr));
  EXPECT_FALSE(make_comparator(oid::kInt4, 2, nullptr));
}

/// Whatever a shard sends, nothing crashes, and a value that is read equals itself.
TEST(Value, GeneratedBytesAreReadOrRefused) {
  std::mt19937_64 random(5);
  constexpr Oid kTypes[] = {
      oid::kBool,   oid::kInt2,     oid::kInt8, oid::kOid,     oid::kFloat4,
      oid::kFloat8, oid::kNumeric,  oid::kText, oid::kBpchar,  oid::kChar,
      oid::kBytea,  oid::kVarbit,   oid::kUuid, oid::kDate,    oid::kTime,
      oid::kTimetz, oid::kInterval, oid::kInet, oid::kMacaddr, oid::kTimestamptz,
  };
  constexpr std::string_view kAlphabet = "0123456789-+:. eEabfinty\\x";
  for (int round = 0; round < 200'000; ++round) {
    const Oid type = kTypes[random() % std::size(kTypes)];
    const auto format = static_cast<std::int16_t>(random() % 2);
    const auto comparator = make_equality(type, format);
    if (!comparator) {
      continue;
    }
    std::string value(random() % 40, '\0');
    for (char& c : value) {
      c = format == kTextFormat ? kAlphabet[random() % kAlphabet.size()]
                                : static_cast<char>(random() % 256);
    }
    Ordinal out;
    if (comparator->decode(as_bytes(value), out)) {
      EXPECT_EQ(comparator->compare(out, out), std::strong_ordering::equal);
    }
    std::string converted;
    for (const std::int16_t to : {kTextFormat, kBinaryFormat}) {
      if (is_convertible(type, format, to)) {
        static_cast<void>(convert(type, format, to, as_bytes(value), {}, converted).has_value());
      }
    }
  }
}

TEST(Value, FloatsPrintAsOnTheServer) {
  const auto text = [](double value, int digits) {
    std::string out;
    append_float8_text(value, {.extra_float_digits = digits}, out);
    return out;
  };
  EXPECT_EQ(text(0.1, 1), "0.1");
  EXPECT_EQ(text(1e23, 1), "9.999999999999999e+22");
  EXPECT_EQ(text(1e15, 1), "1e+15");
  EXPECT_EQ(text(123456789012345, 1), "123456789012345");
  EXPECT_EQ(text(0.0001, 1), "0.0001");
  EXPECT_EQ(text(0.00001, 1), "1e-05");
  EXPECT_EQ(text(-0.0, 1), "-0");
  EXPECT_EQ(text(5e-324, 1), "5e-324");
  EXPECT_EQ(text(0.1 + 0.2, 0), "0.3");
}

}  // namespace
}  // namespace sherd::pgtypes
