#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model_for_test.hpp"

namespace sherd::merge {
namespace {

using namespace model;

constexpr std::uint64_t kCases = 400;

struct Case {
  std::vector<Column> columns;
  std::vector<std::vector<ModelRow>> shards;
  Recipe recipe;

  [[nodiscard]] std::vector<std::vector<std::string>> bodies() const {
    std::vector<std::vector<std::string>> out(shards.size());
    for (std::size_t i = 0; i < shards.size(); ++i) {
      for (const ModelRow& row : shards[i]) {
        out[i].push_back(encode(row, columns));
      }
    }
    return out;
  }
};

Case random_case(Random& random) {
  constexpr Oid kTypes[] = {oid::kInt8, oid::kText, oid::kNumeric, oid::kFloat8};
  Case made;
  for (auto n = 1 + below(random, 4); n > 0; --n) {
    made.columns.push_back(
        {kTypes[below(random, std::size(kTypes))], static_cast<std::int16_t>(below(random, 2))}
    );
  }
  made.shards.resize(1 + below(random, 7));
  for (auto& shard : made.shards) {
    for (auto n = below(random, 4) == 0 ? 0 : below(random, 40); n > 0; --n) {
      ModelRow row;
      for (const Column& column : made.columns) {
        row.push_back(random_cell(random, column.type, 12));
      }
      shard.push_back(std::move(row));
    }
  }
  if (below(random, 2) == 0) {
    made.recipe.limit = below(random, 60);
  }
  made.recipe.offset = below(random, 2) == 0 ? below(random, 30) : 0;
  return made;
}

void add_random_order(Case& made, Random& random) {
  for (auto n = 1 + below(random, made.columns.size()); n > 0; --n) {
    made.recipe.order.push_back({
        .output = static_cast<std::uint32_t>(below(random, made.columns.size())),
        .descending = below(random, 2) == 0,
        .nulls_first = below(random, 2) == 0,
        .collation = "C",
    });
  }
}

MergeOptions same_formats(const Case& made) {
  MergeOptions options;
  for (const Column& column : made.columns) {
    options.output_formats.push_back(column.format);
  }
  return options;
}

std::vector<std::string> windowed(std::vector<std::string> rows, const Recipe& recipe) {
  rows.erase(
      rows.begin(),
      rows.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(rows.size(), recipe.offset))
  );
  if (recipe.limit && rows.size() > *recipe.limit) {
    rows.resize(*recipe.limit);
  }
  return rows;
}

TEST(OrderedMerge, GeneratedStreamsGiveWhatAStableSortGives) {
  for (std::uint64_t seed = 1; seed <= kCases; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Random random(seed);
    Case made = random_case(random);
    add_random_order(made, random);
    const auto before = [&](const ModelRow& a, const ModelRow& b) {
      return compare_rows(a, b, made.recipe.order) < 0;
    };
    std::vector<ModelRow> all;
    for (auto& shard : made.shards) {
      sort_stably(shard, before);
      all.insert(all.end(), shard.begin(), shard.end());
    }
    sort_stably(all, before);
    std::vector<std::string> expected;
    for (const ModelRow& row : all) {
      expected.push_back(encode(row, made.columns));
    }
    MergeOptions options = same_formats(made);
    options.shard_high_water_bytes = 1 + below(random, 500);
    auto merger =
        Merger::create(made.recipe, shard_columns(made.columns), made.shards.size(), options);
    ASSERT_TRUE(merger) << to_string(merger.error());
    const auto rows = run(**merger, made.bodies(), random);
    ASSERT_TRUE(rows) << to_string(rows.error());
    ASSERT_EQ(*rows, windowed(expected, made.recipe));
    EXPECT_EQ((*merger)->rows_drained(), rows->size());
  }
}

TEST(OrderedMerge, StreamThatGoesBackwardsIsRefused) {
  std::size_t refused = 0;
  for (std::uint64_t seed = 1; seed <= kCases; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Random random(seed);
    Case made = random_case(random);
    made.recipe.limit.reset();
    add_random_order(made, random);
    bool sorted = true;
    for (const auto& shard : made.shards) {
      sorted = sorted && std::ranges::is_sorted(shard, [&](const ModelRow& a, const ModelRow& b) {
                 return compare_rows(a, b, made.recipe.order) < 0;
               });
    }
    auto merger = Merger::create(
        made.recipe, shard_columns(made.columns), made.shards.size(), same_formats(made)
    );
    ASSERT_TRUE(merger);
    const auto rows = run(**merger, made.bodies(), random);
    ASSERT_EQ(rows.has_value(), sorted);
    if (!rows) {
      ASSERT_EQ(rows.error().code, ErrorCode::kUnsupported);
      ++refused;
    }
  }
  EXPECT_GT(refused, kCases / 2);
}

TEST(OrderedMerge, HiddenSortColumnIsNotDelivered) {
  const std::vector<Column> columns = {{oid::kText, 0}, {oid::kInt8, 1}};
  Recipe recipe;
  recipe.outputs = {{.column = 0, .name = "shown"}};
  recipe.order = {{.output = 1}};
  auto merger = Merger::create(recipe, shard_columns(columns), 2, {});
  ASSERT_TRUE(merger);
  Random random(1);
  const Cell b{.text = "b"};
  const Cell a{.text = "a"};
  const std::vector<std::vector<std::string>> shards = {
      {encode({b, {.number = 1}}, columns)}, {encode({a, {.number = 2}}, columns)}
  };
  const auto rows = run(**merger, shards, random);
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->size(), 2U);
  EXPECT_EQ(fields_of(rows->at(0)), std::vector<std::string>{"b"});
  EXPECT_EQ(fields_of(rows->at(1)), std::vector<std::string>{"a"});
  EXPECT_EQ((*merger)->outputs().at(0).name, "shown");
}

TEST(Concat, GeneratedStreamsDeliverEveryRowOnce) {
  for (std::uint64_t seed = 1; seed <= kCases; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Random random(seed);
    Case made = random_case(random);
    auto merger = Merger::create(
        made.recipe, shard_columns(made.columns), made.shards.size(), same_formats(made)
    );
    ASSERT_TRUE(merger);
    const auto bodies = made.bodies();
    const auto rows = run(**merger, bodies, random);
    ASSERT_TRUE(rows) << to_string(rows.error());
    std::map<std::string, int> available;
    std::size_t total = 0;
    for (const auto& shard : bodies) {
      for (const std::string& body : shard) {
        ++available[body];
        ++total;
      }
    }
    for (const std::string& row : *rows) {
      ASSERT_GE(--available[row], 0) << "a row came twice";
    }
    const std::size_t after_offset = total - std::min<std::size_t>(total, made.recipe.offset);
    ASSERT_EQ(rows->size(), std::min<std::size_t>(after_offset, made.recipe.limit.value_or(total)));
  }
}

TEST(Concat, OneShardComesOutAsItWentIn) {
  Random random(7);
  Case made = random_case(random);
  made.recipe = {};
  made.shards.resize(1);
  auto merger = Merger::create(made.recipe, shard_columns(made.columns), 1, same_formats(made));
  ASSERT_TRUE(merger);
  EXPECT_TRUE((*merger)->passes_through());
  const auto rows = run(**merger, made.bodies(), random);
  ASSERT_TRUE(rows);
  EXPECT_EQ(*rows, made.bodies().front());
}

TEST(Concat, ReorderedOutputsAreConvertedToTheClientsFormat) {
  const std::vector<Column> columns = {{oid::kInt8, 1}, {oid::kNumeric, 0}};
  Recipe recipe;
  recipe.outputs = {{.column = 1, .name = "n"}, {.column = 0}};
  auto merger = Merger::create(recipe, shard_columns(columns), 1, {});
  ASSERT_TRUE(merger);
  EXPECT_FALSE((*merger)->passes_through());
  Random random(1);
  const auto rows = run(**merger, {{encode({{.number = -7}, {.number = 1250}}, columns)}}, random);
  ASSERT_TRUE(rows);
  EXPECT_EQ(fields_of(rows->at(0)), (std::vector<std::string>{"1.250", "-7"}));
  EXPECT_EQ((*merger)->outputs().at(0).name, "n");
  EXPECT_EQ((*merger)->outputs().at(1).name, "c0");
}

TEST(Concat, LimitZeroIsDoneAtOnce) {
  Recipe recipe;
  recipe.limit = 0;
  const std::vector<Column> columns = {{oid::kInt8, 1}};
  auto merger = Merger::create(recipe, shard_columns(columns), 3, {});
  ASSERT_TRUE(merger);
  EXPECT_TRUE((*merger)->done());
  EXPECT_FALSE((*merger)->wants(0));
}

TEST(Concat, MalformedRowIsAProtocolViolation) {
  const std::vector<Column> columns = {{oid::kInt8, 0}, {oid::kText, 0}};
  const std::string good = encode({{.number = 1}, {.text = "x"}}, columns);
  for (std::size_t size = 0; size < good.size(); ++size) {
    auto merger = Merger::create({}, shard_columns(columns), 1, {});
    ASSERT_TRUE(merger);
    const auto result = (*merger)->push(0, as_bytes(good).first(size));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kProtocolViolation);
  }
}

TEST(OrderedMerge, RowsPastTheMemoryLimitAreRefusedByName) {
  Recipe recipe;
  recipe.order = {{.output = 0}};
  const std::vector<Column> columns = {{oid::kInt8, 1}};
  auto merger = Merger::create(
      recipe, shard_columns(columns), 2, {.memory_bytes = 100, .output_formats = {1}}
  );
  ASSERT_TRUE(merger);
  Result<> last;
  for (int i = 0; i < 10 && last; ++i) {
    last = (*merger)->push(0, as_bytes(encode({{.number = i}}, columns)));
  }
  ASSERT_FALSE(last);
  EXPECT_EQ(last.error().code, ErrorCode::kConfigLimit);
  EXPECT_THAT(last.error().hint, testing::HasSubstr("merge_memory_bytes"));
}

TEST(OrderedMerge, ShardIsWantedUntilItsHighWaterMark) {
  Recipe recipe;
  recipe.order = {{.output = 0}};
  const std::vector<Column> columns = {{oid::kInt8, 1}};
  auto merger = Merger::create(
      recipe, shard_columns(columns), 2, {.shard_high_water_bytes = 30, .output_formats = {1}}
  );
  ASSERT_TRUE(merger);
  ASSERT_TRUE((*merger)->push(0, as_bytes(encode({{.number = 1}}, columns))));
  EXPECT_TRUE((*merger)->wants(0));
  ASSERT_TRUE((*merger)->push(0, as_bytes(encode({{.number = 2}}, columns))));
  EXPECT_FALSE((*merger)->wants(0));
  EXPECT_TRUE((*merger)->wants(1));
}

TEST(OrderedMerge, TextUnderAnUnknownCollationIsRefusedWithAHint) {
  Recipe recipe;
  recipe.order = {{.output = 0}};  // the database's own order, which nobody told us
  const std::vector<Column> columns = {{oid::kText, 0}};
  const auto merger = Merger::create(recipe, shard_columns(columns), 2, {});
  ASSERT_FALSE(merger);
  EXPECT_EQ(merger.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(merger.error().hint, testing::HasSubstr("COLLATE \"C\""));
}

TEST(OrderedMerge, RoundedFloatsAreRefused) {
  Recipe recipe;
  recipe.order = {{.output = 0}};
  const std::vector<Column> columns = {{oid::kFloat8, 0}};
  const auto merger =
      Merger::create(recipe, shard_columns(columns), 2, {.text = {.extra_float_digits = 0}});
  ASSERT_FALSE(merger);
  EXPECT_THAT(merger.error().hint, testing::HasSubstr("extra_float_digits"));
}

TEST(OrderedMerge, NamesSortByBytesUnlessTheStatementSaysOtherwise) {
  Recipe recipe;
  recipe.order = {{.output = 0}};
  const std::vector<Column> columns = {{oid::kName, 0}};
  EXPECT_TRUE(Merger::create(recipe, shard_columns(columns), 2, {}));
  recipe.order.front().collation = "en_US.utf8";
  EXPECT_FALSE(Merger::create(recipe, shard_columns(columns), 2, {}));
}

TEST(ShardFormats, WhatIsOnlySortedByOrComputedIsBinary) {
  Recipe recipe;
  recipe.outputs = {
      {.column = 0}, {.kind = Output::Kind::kAverage, .column = 1, .count_column = 2}, {.column = 3}
  };
  recipe.combine = {
      Combine::kGroupKey, Combine::kSum, Combine::kCount, Combine::kMax, Combine::kGroupKey
  };
  const std::vector<std::int16_t> text = {0};
  EXPECT_EQ(shard_formats(recipe, text), (std::vector<std::int16_t>{0, 1, 1, 0, 1}));
  const std::vector<std::int16_t> mixed = {1, 0, 0};
  EXPECT_EQ(shard_formats(recipe, mixed), (std::vector<std::int16_t>{1, 1, 1, 0, 1}));
}

TEST(ShardFormats, WithoutOutputsOfTheirOwnAreTheClients) {
  Recipe recipe;
  recipe.order = {{.output = 2}, {.output = 4}};  // five columns or more: how many is not known yet
  EXPECT_EQ(shard_formats(recipe, {}), std::vector<std::int16_t>());
  const std::vector<std::int16_t> binary = {1};
  EXPECT_EQ(shard_formats(recipe, binary), binary);
}

TEST(Describe, NamesTheModeInOneLine) {
  Recipe recipe;
  EXPECT_EQ(describe(recipe), "concat");
  recipe.order = {{.output = 0}, {.output = 1}};
  recipe.limit = 10;
  EXPECT_EQ(describe(recipe), "merge by 2 columns, limit 10");
  recipe.combine = {Combine::kGroupKey, Combine::kSum};
  recipe.offset = 5;
  EXPECT_EQ(
      describe(recipe),
      "group by 1 column, combine 1 partial aggregate, sort by 2 columns, limit 10, offset 5"
  );
}

}  // namespace
}  // namespace sherd::merge
