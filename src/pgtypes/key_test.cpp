// Keys and their hash without a server; tests/integration/key_oracle_test.cpp asks a server the
// same questions.

#include <algorithm>
#include <array>
#include <cctype>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <sherd/pgtypes/key.hpp>
#include <sherd/pgtypes/oid.hpp>

#include "hash.hpp"
#include "key_numeric.hpp"

namespace sherd::pgtypes {
namespace {

constexpr std::uint64_t kSeed = 5;
constexpr std::array kAllTypes = {
    KeyType::kInt2, KeyType::kInt4,      KeyType::kInt8,        KeyType::kText, KeyType::kVarchar,
    KeyType::kUuid, KeyType::kTimestamp, KeyType::kTimestamptz, KeyType::kDate, KeyType::kNumeric,
};

Result<Key> read(KeyType type, std::string_view text) {
  static std::string scratch;
  return key_from_text(type, text, scratch);
}

template <class T>
std::string wire(T value) {
  std::string bytes;
  append_be(bytes, value);
  return bytes;
}

TEST(KeyType, OidsAndNamesLeadBack) {
  for (const KeyType type : kAllTypes) {
    EXPECT_EQ(key_type_of(oid_of(type)), type);
    EXPECT_FALSE(name_of(type).empty());
  }
  EXPECT_EQ(key_type_of(oid::kJson), std::nullopt);
  EXPECT_EQ(key_type_of(oid::kBpchar), std::nullopt);
  EXPECT_EQ(name_of(KeyType::kInt8), "bigint");
}

// ---- integers

TEST(IntegerKey, TextAndBinaryOfEveryWidthAreOneKey) {
  std::mt19937_64 random(kSeed);
  std::string scratch;
  for (int i = 0; i < 2000; ++i) {
    const auto value = static_cast<std::int16_t>(random());
    for (const KeyType type : {KeyType::kInt2, KeyType::kInt4, KeyType::kInt8}) {
      const Key expected = integer_key(type, value);
      const std::string two = wire(value);
      const std::string four = wire(std::int32_t{value});
      const std::string eight = wire(std::int64_t{value});
      EXPECT_TRUE(equal(*read(type, std::to_string(value)), expected));
      EXPECT_TRUE(equal(*key_from_binary(type, oid::kInt2, as_bytes(two), scratch), expected));
      EXPECT_TRUE(equal(*key_from_binary(type, oid::kInt4, as_bytes(four), scratch), expected));
      EXPECT_TRUE(equal(*key_from_binary(type, oid::kInt8, as_bytes(eight), scratch), expected));
      EXPECT_EQ(canonical_text(expected, scratch), std::to_string(value));
      EXPECT_EQ(partition_hash(expected), partition_hash(integer_key(KeyType::kInt8, value)));
    }
  }
}

TEST(IntegerKey, WiderValueThatDoesNotFitIsOutOfRange) {
  std::string scratch;
  const std::string big = wire(std::int64_t{1} << 40);
  const auto key = key_from_binary(KeyType::kInt4, oid::kInt8, as_bytes(big), scratch);
  ASSERT_FALSE(key.has_value());
  EXPECT_EQ(key.error().code, ErrorCode::kOutOfRange);
}

TEST(IntegerKey, EndsOfTheTypesAreKeysAndTheirNeighboursAreNot) {
  EXPECT_TRUE(read(KeyType::kInt2, "-32768").has_value());
  EXPECT_TRUE(read(KeyType::kInt8, "-9223372036854775808").has_value());
  EXPECT_TRUE(read(KeyType::kInt8, "9223372036854775807").has_value());
  EXPECT_EQ(read(KeyType::kInt2, "32768").error().code, ErrorCode::kOutOfRange);
  EXPECT_EQ(read(KeyType::kInt4, "-2147483649").error().code, ErrorCode::kOutOfRange);
  EXPECT_EQ(
      read(KeyType::kInt8, "9223372036854775808").error().message,
      "value \"9223372036854775808\" is out of range for type bigint"
  );
}

TEST(IntegerKey, FormsOfNewerServersMeanTheSameValue) {
  EXPECT_EQ(read(KeyType::kInt4, "0x1F")->integer, 31);
  EXPECT_EQ(read(KeyType::kInt4, "-0b101")->integer, -5);
  EXPECT_EQ(read(KeyType::kInt4, "0o_17")->integer, 15);
  EXPECT_EQ(read(KeyType::kInt4, "1_000")->integer, 1000);
  for (const char* bad :
       {"_1", "1_", "1__0", "0x", "0x_", "0xg", "- 1", "+-1", "", " ", "1.0", "1e3"}) {
    EXPECT_EQ(read(KeyType::kInt4, bad).error().code, ErrorCode::kInvalidText) << bad;
  }
}

TEST(Key, BinaryOfWrongSizeOrTypeIsRefused) {
  std::string scratch;
  for (const KeyType type : kAllTypes) {
    if (is_text(type)) {
      continue;
    }
    EXPECT_EQ(
        key_from_binary(type, 0, as_bytes("abc"), scratch).error().code, ErrorCode::kInvalidBinary
    );
    EXPECT_EQ(
        key_from_binary(type, oid::kJson, as_bytes("12345678"), scratch).error().code,
        ErrorCode::kUnsupported
    );
  }
  EXPECT_EQ(
      key_from_binary(KeyType::kText, oid::kBpchar, as_bytes("a "), scratch).error().code,
      ErrorCode::kUnsupported
  );
}

// ---- uuid

TEST(UuidKey, EverySpellingIsOneKey) {
  std::mt19937_64 random(kSeed);
  std::string scratch;
  for (int i = 0; i < 500; ++i) {
    Key expected{.type = KeyType::kUuid};
    std::string bare;
    for (std::byte& byte : expected.uuid) {
      byte = static_cast<std::byte>(random());
      bare += fmt::format("{:02x}", static_cast<unsigned>(byte));
    }
    std::string spelled;
    for (std::size_t at = 0; at < bare.size(); at += 4) {
      spelled += bare.substr(at, 4);
      spelled += at + 4 < bare.size() && random() % 2 == 0 ? "-" : "";
    }
    for (char& c : spelled) {
      c = random() % 2 == 0 ? static_cast<char>(std::toupper(c)) : c;
    }
    spelled = random() % 2 == 0 ? "{" + spelled + "}" : spelled;
    const auto key = read(KeyType::kUuid, spelled);
    ASSERT_TRUE(key.has_value()) << spelled;
    EXPECT_TRUE(equal(*key, expected)) << spelled;
    const std::string bytes(as_text(expected.uuid));
    EXPECT_TRUE(equal(*key_from_binary(KeyType::kUuid, 0, as_bytes(bytes), scratch), expected));
    const std::string canonical = bare.substr(0, 8) + "-" + bare.substr(8, 4) + "-"
                                  + bare.substr(12, 4) + "-" + bare.substr(16, 4) + "-"
                                  + bare.substr(20);
    EXPECT_EQ(canonical_text(*key, scratch), canonical);
  }
}

TEST(UuidKey, WhatIsNoneIsRefused) {
  const std::string good = "550e8400-e29b-41d4-a716-446655440000";
  ASSERT_TRUE(read(KeyType::kUuid, good).has_value());
  for (const std::string& bad :
       {good + "0", good.substr(1), "{" + good, good + "}", " " + good, good + "-", std::string(),
        std::string("55-0e8400e29b41d4a716446655440000"), std::string("{"), std::string("{}")}) {
    EXPECT_EQ(read(KeyType::kUuid, bad).error().code, ErrorCode::kInvalidText) << bad;
  }
}

// ---- numeric

TEST(NumericKey, EqualNumbersAreOneKey) {
  for (const char* text :
       {"12.5", "12.50", "+12.5", "0012.5", "1.25e1", "125E-1", " 12.5 ", "0.125e+2"}) {
    EXPECT_EQ(read(KeyType::kNumeric, text)->text, "12.5") << text;
  }
  for (const char* zero : {"0", "-0", "0.00", ".0", "-0e5", "00"}) {
    EXPECT_EQ(read(KeyType::kNumeric, zero)->text, "0") << zero;
  }
  EXPECT_EQ(read(KeyType::kNumeric, "-1e-3")->text, "-0.001");
  EXPECT_EQ(read(KeyType::kNumeric, "5.")->text, "5");
}

TEST(NumericKey, CanonicalTextIsBorrowed) {
  std::string scratch = "untouched";
  const std::string text = "-12.5";
  EXPECT_EQ(key_from_text(KeyType::kNumeric, text, scratch)->text.data(), text.data());
  EXPECT_EQ(scratch, "untouched");
}

TEST(NumericKey, BinaryIsTheSameKeyAsText) {
  // 12345.6789 = 1 | 2345 | 6789, weight 1, scale 4
  const std::string positive = wire<std::int16_t>(3) + wire<std::int16_t>(1) + wire<std::int16_t>(0)
                               + wire<std::int16_t>(4) + wire<std::int16_t>(1)
                               + wire<std::int16_t>(2345) + wire<std::int16_t>(6789);
  std::string scratch;
  EXPECT_EQ(key_from_binary(KeyType::kNumeric, 0, as_bytes(positive), scratch)->text, "12345.6789");
  // -0.00005 = 5000 × 10000^-2
  const std::string small = wire<std::int16_t>(1) + wire<std::int16_t>(-2)
                            + wire<std::int16_t>(0x4000) + wire<std::int16_t>(5)
                            + wire<std::int16_t>(5000);
  EXPECT_EQ(key_from_binary(KeyType::kNumeric, 0, as_bytes(small), scratch)->text, "-0.00005");
  // 10^12 = 1 × 10000^3, no digits after the first
  const std::string big = wire<std::int16_t>(1) + wire<std::int16_t>(3) + wire<std::int16_t>(0)
                          + wire<std::int16_t>(0) + wire<std::int16_t>(1);
  EXPECT_EQ(key_from_binary(KeyType::kNumeric, 0, as_bytes(big), scratch)->text, "1000000000000");
}

TEST(NumericKey, HostileBinaryIsRefused) {
  std::string scratch;
  const std::string many = wire<std::int16_t>(-1) + std::string(6, '\0');
  const std::string digit =
      wire<std::int16_t>(1) + std::string(6, '\0') + wire<std::int16_t>(10000);
  const std::string sign =
      wire<std::int16_t>(0) + wire<std::int16_t>(0) + wire<std::int16_t>(1) + wire<std::int16_t>(0);
  for (const std::string& bad : {many, digit, sign, std::string(7, '\0')}) {
    EXPECT_EQ(
        key_from_binary(KeyType::kNumeric, 0, as_bytes(bad), scratch).error().code,
        ErrorCode::kInvalidBinary
    );
  }
}

TEST(NumericKey, OrderIsThatOfNumbers) {
  const std::vector<std::string_view> ascending = {
      "-Infinity", "-100", "-99.5", "-10", "-9", "-0.5", "-0.25", "0",        "0.001",
      "0.5",       "1",    "1.5",   "9",   "10", "99",   "100",   "Infinity", "NaN",
  };
  for (std::size_t i = 0; i < ascending.size(); ++i) {
    for (std::size_t j = 0; j < ascending.size(); ++j) {
      EXPECT_EQ(compare_numeric(ascending[i], ascending[j]), i <=> j)
          << ascending[i] << " " << ascending[j];
    }
  }
}

// ---- dates and timestamps

TEST(DateKey, DaysAreCountedFrom2000) {
  EXPECT_EQ(read(KeyType::kDate, "2000-01-01")->integer, 0);
  EXPECT_EQ(read(KeyType::kDate, "1999-12-31")->integer, -1);
  EXPECT_EQ(read(KeyType::kDate, "2024-02-29")->integer, 8825);
  EXPECT_EQ(read(KeyType::kDate, "infinity")->integer, std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(read(KeyType::kDate, "-infinity")->integer, std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(read(KeyType::kDate, "2023-02-29").error().code, ErrorCode::kOutOfRange);
  EXPECT_EQ(read(KeyType::kDate, "2023-02-29").error().sqlstate(), "22008");
}

TEST(DateKey, EveryDayLeadsBack) {
  std::string scratch;
  for (std::int64_t day = -2451545; day < 2145031948; day += 9973) {
    const Key key{.type = KeyType::kDate, .integer = day};
    const std::string text(canonical_text(key, scratch));
    EXPECT_EQ(read(KeyType::kDate, text)->integer, day) << text;
  }
}

TEST(DateKey, BinaryInfinitiesAreThoseOfText) {
  std::string scratch;
  const std::string top = wire(std::numeric_limits<std::int32_t>::max());
  const std::string bottom = wire(std::numeric_limits<std::int32_t>::min());
  EXPECT_TRUE(equal(
      *key_from_binary(KeyType::kDate, 0, as_bytes(top), scratch), *read(KeyType::kDate, "infinity")
  ));
  EXPECT_TRUE(equal(
      *key_from_binary(KeyType::kDate, 0, as_bytes(bottom), scratch),
      *read(KeyType::kDate, "-infinity")
  ));
  const std::string outside = wire(std::int32_t{2147483000});
  EXPECT_EQ(
      key_from_binary(KeyType::kDate, 0, as_bytes(outside), scratch).error().code,
      ErrorCode::kOutOfRange
  );
}

TEST(TimestampKey, EveryTimestampLeadsBack) {
  std::mt19937_64 random(kSeed);
  std::string scratch;
  for (int i = 0; i < 5000; ++i) {
    const auto value =
        static_cast<std::int64_t>(random() % 9'223'000'000'000'000'000U) - 200'000'000'000'000'000;
    for (const KeyType type : {KeyType::kTimestamp, KeyType::kTimestamptz}) {
      const Key key{.type = type, .integer = value};
      const std::string text(canonical_text(key, scratch));
      const auto again = read(type, text);
      ASSERT_TRUE(again.has_value()) << text;
      EXPECT_EQ(again->integer, value) << text;
    }
  }
}

TEST(TimestampKey, MeaningThatDependsOnTheSessionIsUnsupported) {
  for (const char* text :
       {"now", "2020-01-01", "2020-01-01 10:00", "2020-01-01 10:00 UTC", "01/02/2020 10:00+00",
        "2020-01-01 10:00 Europe/Berlin", "epoch", ""}) {
    EXPECT_EQ(read(KeyType::kTimestamptz, text).error().code, ErrorCode::kUnsupported) << text;
  }
  EXPECT_EQ(
      read(KeyType::kTimestamptz, "2020-01-01T10:00:00+02:00")->integer,
      read(KeyType::kTimestamptz, "2020-01-01 08:00Z")->integer
  );
}

// ---- hash

// Values of hashint8extended, hashtextextended and uuid_hash_extended with the seed of hash
// partitioning.
TEST(PartitionHash, ValuesAreTheServers) {
  const auto of = [](std::int64_t value) {
    return static_cast<std::int64_t>(hashing::hash_int64(value, hashing::kPartitionSeed));
  };
  EXPECT_EQ(of(0), -4403592609991167795);
  EXPECT_EQ(of(1), 5968994663651403477);
  EXPECT_EQ(of(-1), -5017072347659237694);
  EXPECT_EQ(of(42), 7363975540656877951);
  EXPECT_EQ(of(2147483648), 4938542303000433043);
  EXPECT_EQ(of(-2147483649), -6050265599104649060);
  EXPECT_EQ(of(INT64_MAX), 4938542303000433043);
  EXPECT_EQ(of(INT64_MIN), -6050265599104649060);
  const auto of_text = [](std::string_view text) {
    return static_cast<std::int64_t>(hashing::hash_bytes(as_bytes(text), hashing::kPartitionSeed));
  };
  EXPECT_EQ(of_text(""), -5700645584453517373);
  EXPECT_EQ(of_text("a"), -6705225459120232837);
  EXPECT_EQ(of_text("abcd"), 4029384952263848046);
  EXPECT_EQ(of_text("abcdefgh"), -7754745184861941070);
  EXPECT_EQ(of_text("abcdefghijk"), -2046435308545367432);
  EXPECT_EQ(of_text("abcdefghijkl"), -7876791541613377658);
  EXPECT_EQ(of_text("abcdefghijklm"), -6785754114725280077);
  EXPECT_EQ(of_text("日本語"), -8050275759738715173);
  const auto uuid = read(KeyType::kUuid, "550e8400-e29b-41d4-a716-446655440000");
  EXPECT_EQ(
      static_cast<std::int64_t>(hashing::hash_bytes(uuid->uuid, hashing::kPartitionSeed)),
      -3467891652331307802
  );
}

TEST(PartitionHash, TextAndVarcharOfOneTextAreEqual) {
  EXPECT_EQ(
      partition_hash({.type = KeyType::kText, .text = "ünï"}),
      partition_hash({.type = KeyType::kVarchar, .text = "ünï"})
  );
}

// ---- what a column keeps

TEST(StoredKey, VarcharLosesBlanksPastItsLength) {
  std::string scratch;
  const auto kept = [&](std::string_view text) {
    return stored_key({.type = KeyType::kVarchar, .text = text}, 3 + 4, scratch).text;
  };
  EXPECT_EQ(kept("äb "), "äb ");
  EXPECT_EQ(kept("äbc  "), "äbc");
  EXPECT_EQ(kept("äb   "), "äb ");
  EXPECT_EQ(kept("äbcd "), "äbcd ");  // the server refuses it
  EXPECT_EQ(stored_key({.type = KeyType::kVarchar, .text = "a  "}, -1, scratch).text, "a  ");
}

}  // namespace
}  // namespace sherd::pgtypes
