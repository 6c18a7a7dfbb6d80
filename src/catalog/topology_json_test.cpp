#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sherd/catalog/topology_json.hpp>

namespace sherd::catalog {
namespace {

using pgtypes::KeyType;
using strategy::StrategyKind;
using strategy::StrategySpec;

std::string text(std::mt19937& random) {
  static const std::vector<std::string> kTexts = {"",   "a",    "\"", "\\", "ü", "line\nbreak",
                                                  "{}", "null", "42"};
  return kTexts[random() % kTexts.size()] + std::to_string(random() % 5);
}

StrategySpec generated(std::mt19937& random, int depth) {
  StrategySpec spec;
  spec.kind = static_cast<StrategyKind>(random() % (depth == 0 ? 6 : 5));
  spec.key_type = static_cast<KeyType>(random() % 10);
  spec.hash = static_cast<strategy::HashFunction>(random() % 2);
  spec.virtual_nodes_per_shard = random() % 1000;
  spec.slots = 1U << random() % 17;
  spec.allow_gaps = random() % 2 == 0;
  for (unsigned i = random() % 4; i > 0; --i) {
    auto& range = spec.ranges.emplace_back(strategy::RangeSpec{.shard = text(random)});
    range.low = random() % 2 == 0 ? std::optional(text(random)) : std::nullopt;
    range.high = random() % 2 == 0 ? std::optional(text(random)) : std::nullopt;
    spec.region_mapping[text(random)] = text(random);
    spec.pins[text(random)] = text(random);
  }
  if (random() % 2 == 0) {
    spec.default_region = text(random);
  }
  if (spec.kind == StrategyKind::kDirectory) {
    spec.fallback = std::make_shared<const StrategySpec>(generated(random, depth + 1));
  }
  return spec;
}

TEST(SpecJson, AnySpecReadsBackAsTheSameJson) {
  std::mt19937 random(11);
  for (int round = 0; round < 5000; ++round) {
    const auto json = spec_to_json(generated(random, 0));
    ASSERT_TRUE(json.has_value());
    const auto spec = spec_from_json(*json);
    ASSERT_TRUE(spec.has_value()) << *json << to_string(spec.error());
    ASSERT_EQ(*spec_to_json(*spec), *json);
  }
}

TEST(SpecJson, HoldsOnlyWhatItsKindUses) {
  EXPECT_EQ(*spec_to_json({}), R"({"key_type":"bigint","kind":"slot","slots":4096})");
}

TEST(SpecJson, FieldsComeBack) {
  StrategySpec spec{.kind = StrategyKind::kRange, .key_type = KeyType::kDate};
  spec.ranges = {{"s1", std::nullopt, "2020-01-01"}};
  spec.allow_gaps = true;
  const auto read = spec_from_json(*spec_to_json(spec));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->kind, StrategyKind::kRange);
  EXPECT_EQ(read->key_type, KeyType::kDate);
  EXPECT_TRUE(read->allow_gaps);
  ASSERT_EQ(read->ranges.size(), 1U);
  EXPECT_EQ(read->ranges[0].low, std::nullopt);
  EXPECT_EQ(read->ranges[0].high, "2020-01-01");
}

TEST(SpecJson, TextThatIsNotUtf8IsRefused) {
  StrategySpec spec{.kind = StrategyKind::kDirectory};
  spec.pins["\xff"] = "s1";
  EXPECT_EQ(spec_to_json(spec).error().code, ErrorCode::kInvalidText);
}

class BadSpec : public testing::TestWithParam<const char*> {};

TEST_P(BadSpec, IsRefused) {
  const auto spec = spec_from_json(GetParam());
  ASSERT_FALSE(spec.has_value());
  EXPECT_EQ(spec.error().code, ErrorCode::kInvalidText);
}

INSTANTIATE_TEST_SUITE_P(
    SpecJson, BadSpec,
    testing::Values(
        "", "[]", "{", "null", "{}", R"({"kind":"slot"})", R"({"kind":"slot","key_type":"box"})",
        R"({"kind":"slots","key_type":"bigint"})", R"({"kind":1,"key_type":"bigint"})",
        R"({"kind":"slot","key_type":"bigint","slots":-1})",
        R"({"kind":"slot","key_type":"bigint","slots":4294967296})",
        R"({"kind":"slot","key_type":"bigint","slots":"64"})",
        R"({"kind":"slot","key_type":"bigint","new_field":1})",
        R"({"kind":"range","key_type":"bigint","ranges":[{}]})",
        R"({"kind":"range","key_type":"bigint","ranges":[{"shard":"a","lo":"1"}]})",
        R"({"kind":"directory","key_type":"bigint","pins":{"1":2}})",
        R"({"kind":"hash","key_type":"bigint","hash":"md4"})"
    )
);

TEST(SpecJson, DeepNestingIsRefusedNotFollowed) {
  std::string json = R"({"kind":"slot","key_type":"bigint"})";
  for (int i = 0; i < 10; ++i) {
    json = R"({"kind":"directory","key_type":"bigint","fallback":)" + json + "}";
  }
  EXPECT_FALSE(spec_from_json(json).has_value());
}

}  // namespace
}  // namespace sherd::catalog
