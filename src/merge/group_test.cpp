#include <map>
#include <optional>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model_for_test.hpp"

namespace sherd::merge {
namespace {

using namespace model;
using pgtypes::Numeric;

constexpr std::uint64_t kCases = 300;

/// Orders keys for the model's map: NULL first, then by value.
struct KeyLess {
  bool operator()(const ModelRow& a, const ModelRow& b) const {
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (a[i].null != b[i].null) {
        return a[i].null;
      }
      if (const int c = a[i].null ? 0 : a[i].compare(b[i]); c != 0) {
        return c < 0;
      }
    }
    return false;
  }
};

/// What a group must come to, in the test's own arithmetic.
struct Expected {
  std::int64_t count = 0;
  std::optional<std::int64_t> sum{};      // int8
  std::optional<std::int64_t> decimal{};  // thousandths
  unsigned decimal_zeros = 0;             // the widest scale seen
  std::optional<Cell> least{};
  std::optional<Cell> greatest{};
};

// Columns: two keys, count, sum of int8, sum of numeric, min and max of the text, sum and count of
// an average.
std::vector<Column> partial_columns(Random& random) {
  constexpr Oid kKeys[] = {oid::kInt8, oid::kText, oid::kNumeric, oid::kFloat8};
  std::vector<Column> columns = {
      {kKeys[below(random, 4)], 0},
      {kKeys[below(random, 4)], 0},
      {oid::kInt8, 0},
      {oid::kInt8, 0},
      {oid::kNumeric, 0},
      {oid::kText, 0},
      {oid::kText, 0},
  };
  for (Column& column : columns) {
    column.format = static_cast<std::int16_t>(below(random, 2));
  }
  return columns;
}

Recipe partial_recipe() {
  Recipe recipe;
  recipe.combine = {Combine::kGroupKey, Combine::kGroupKey, Combine::kCount, Combine::kSum,
                    Combine::kSum,      Combine::kMin,      Combine::kMax};
  for (std::uint32_t i = 0; i < recipe.combine.size(); ++i) {
    recipe.outputs.push_back({.column = i});
  }
  recipe.outputs.push_back({.kind = Output::Kind::kAverage, .column = 4, .count_column = 2});
  recipe.collations.assign(recipe.combine.size(), "C");
  return recipe;
}

void fold(Expected& group, const ModelRow& row) {
  group.count += row[2].null ? 0 : row[2].number;
  if (!row[3].null) {
    group.sum = group.sum.value_or(0) + row[3].number;
  }
  if (!row[4].null) {
    group.decimal = group.decimal.value_or(0) + row[4].number;
    group.decimal_zeros = std::max(group.decimal_zeros, row[4].spelling);
  }
  if (!row[5].null && (!group.least || row[5].compare(*group.least) < 0)) {
    group.least = row[5];
  }
  if (!row[6].null && (!group.greatest || row[6].compare(*group.greatest) > 0)) {
    group.greatest = row[6];
  }
}

std::vector<std::string> in_text(const Expected& group) {
  const auto text_of = [](const std::optional<Cell>& cell) { return cell ? cell->text : "<null>"; };
  const std::string decimal =
      group.decimal ? numeric_text(*group.decimal, group.decimal_zeros) : "<null>";
  std::string average = "<null>";
  if (group.decimal && group.count != 0) {
    average = Numeric::from_text(decimal)->divide(Numeric(group.count))->to_text();
  }
  return {
      std::to_string(group.count),
      group.sum ? std::to_string(*group.sum) : "<null>",
      decimal,
      text_of(group.least),
      text_of(group.greatest),
      average,
  };
}

ModelRow random_partial(Random& random, const std::vector<Column>& columns) {
  ModelRow row;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    row.push_back(random_cell(random, columns[i].type, i < 2 ? 4 : 100'000));
  }
  row[2].null = false;
  row[2].number = static_cast<std::int64_t>(below(random, 9));
  return row;
}

TEST(Group, GeneratedPartialsCombineAsInTheModel) {
  for (std::uint64_t seed = 1; seed <= kCases; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Random random(seed);
    const std::vector<Column> columns = partial_columns(random);
    std::map<ModelRow, Expected, KeyLess> expected;
    std::vector<std::vector<std::string>> shards(1 + below(random, 7));
    for (auto& shard : shards) {
      for (auto n = below(random, 5) == 0 ? 0 : below(random, 60); n > 0; --n) {
        const ModelRow row = random_partial(random, columns);
        fold(expected[{row[0], row[1]}], row);
        shard.push_back(encode(row, columns));
      }
    }
    auto merger = Merger::create(partial_recipe(), shard_columns(columns), shards.size(), {});
    ASSERT_TRUE(merger) << to_string(merger.error());
    const auto rows = run(**merger, shards, random);
    ASSERT_TRUE(rows) << to_string(rows.error());
    std::multiset<std::vector<std::string>> got;
    std::set<std::vector<std::string>> keys;
    for (const std::string& row : *rows) {
      std::vector<std::string> fields = fields_of(row);
      keys.insert({fields[0], fields[1]});
      fields.erase(fields.begin(), fields.begin() + 2);
      got.insert(std::move(fields));
    }
    std::multiset<std::vector<std::string>> wanted;
    for (const auto& [key, group] : expected) {
      wanted.insert(in_text(group));
    }
    ASSERT_EQ(got, wanted);
    ASSERT_EQ(keys.size(), expected.size());
  }
}

TEST(Group, GeneratedGroupsAreSortedByKeyAndByAverage) {
  for (std::uint64_t seed = 1; seed <= kCases; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Random random(seed);
    const std::vector<Column> columns = {{oid::kInt8, 1}, {oid::kNumeric, 1}, {oid::kInt8, 1}};
    Recipe recipe;
    recipe.combine = {Combine::kGroupKey, Combine::kSum, Combine::kCount};
    recipe.outputs = {
        {.kind = Output::Kind::kAverage, .column = 1, .count_column = 2}, {.column = 0}
    };
    recipe.order = {
        {.output = 0, .on_output = true, .descending = true, .nulls_first = true},
        {.output = 1, .on_output = true}
    };
    recipe.limit = below(random, 12);
    recipe.offset = below(random, 4);
    std::map<std::int64_t, std::pair<Numeric, std::int64_t>> groups;
    std::vector<std::vector<std::string>> shards(1 + below(random, 5));
    for (auto& shard : shards) {
      for (auto n = below(random, 30); n > 0; --n) {
        const ModelRow row = {
            {.number = static_cast<std::int64_t>(below(random, 10))},
            {.number = static_cast<std::int64_t>(below(random, 4)) * 500},
            {.number = static_cast<std::int64_t>(1 + below(random, 3))},
        };
        auto& [sum, count] = groups[row[0].number];
        sum.add(*Numeric::from_text(numeric_text(row[1].number, 0)));
        count += row[2].number;
        shard.push_back(encode(row, columns));
      }
    }
    std::vector<std::pair<Numeric, std::int64_t>> averages;
    for (const auto& [key, sums] : groups) {
      averages.emplace_back(*sums.first.divide(Numeric(sums.second)), key);
    }
    sort_stably(averages, [](const auto& a, const auto& b) {
      return a.first.compare(b.first) > 0;
    });
    std::vector<std::vector<std::string>> expected;
    for (std::size_t i = recipe.offset; i < averages.size() && expected.size() < *recipe.limit;
         ++i) {
      expected.push_back({averages[i].first.to_text(), std::to_string(averages[i].second)});
    }
    auto merger = Merger::create(recipe, shard_columns(columns), shards.size(), {});
    ASSERT_TRUE(merger) << to_string(merger.error());
    const auto rows = run(**merger, shards, random);
    ASSERT_TRUE(rows) << to_string(rows.error());
    std::vector<std::vector<std::string>> got;
    for (const std::string& row : *rows) {
      got.push_back(fields_of(row));
    }
    ASSERT_EQ(got, expected);
  }
}

TEST(Distinct, GeneratedRowsComeOnceAndInOrder) {
  for (std::uint64_t seed = 1; seed <= kCases; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Random random(seed);
    const std::vector<Column> all = partial_columns(random);
    const std::vector<Column> columns = {all[0], all[1]};
    Recipe recipe;
    recipe.distinct = true;
    recipe.collations = {"C", "C"};
    const bool sorted = below(random, 2) == 0;
    if (sorted) {
      recipe.order = {{.output = 1, .descending = true}, {.output = 0, .nulls_first = true}};
    }
    std::set<ModelRow, KeyLess> expected;
    std::vector<std::vector<std::string>> shards(1 + below(random, 7));
    for (auto& shard : shards) {
      for (auto n = below(random, 40); n > 0; --n) {
        const ModelRow row = {
            random_cell(random, columns[0].type, 4), random_cell(random, columns[1].type, 4)
        };
        expected.insert(row);
        shard.push_back(encode(row, columns));
      }
    }
    MergeOptions options;
    options.output_formats = {columns[0].format, columns[1].format};
    auto merger = Merger::create(recipe, shard_columns(columns), shards.size(), options);
    ASSERT_TRUE(merger) << to_string(merger.error());
    const auto rows = run(**merger, shards, random);
    ASSERT_TRUE(rows) << to_string(rows.error());
    ASSERT_EQ(rows->size(), expected.size());
    std::vector<ModelRow> in_order(expected.begin(), expected.end());
    sort_stably(in_order, [&](const ModelRow& a, const ModelRow& b) {
      return compare_rows(a, b, recipe.order) < 0;
    });
    std::set<std::string> got;
    for (std::size_t i = 0; i < rows->size(); ++i) {
      got.insert(rows->at(i));
      bool found = false;  // one spelling of the value at this place
      for (unsigned spelling = 0; sorted && spelling < 9; ++spelling) {
        ModelRow row = in_order[i];
        row[0].spelling = spelling / 3;
        row[1].spelling = spelling % 3;
        found = found || encode(row, columns) == rows->at(i);
      }
      ASSERT_EQ(found, sorted);
    }
    ASSERT_EQ(got.size(), rows->size());
  }
}

TEST(Group, NoInputGivesOneRowOfZeroAndNulls) {
  const std::vector<Column> columns = {{oid::kInt8, 1}, {oid::kNumeric, 1}, {oid::kFloat8, 1}};
  Recipe recipe;
  recipe.combine = {Combine::kCount, Combine::kSum, Combine::kMax};
  recipe.outputs = {
      {.column = 0},
      {.column = 1},
      {.column = 2},
      {.kind = Output::Kind::kAverage, .column = 1, .count_column = 0}
  };
  auto merger = Merger::create(recipe, shard_columns(columns), 3, {});
  ASSERT_TRUE(merger);
  Random random(1);
  const auto rows = run(**merger, {{}, {}, {}}, random);
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->size(), 1U);
  EXPECT_EQ(
      fields_of(rows->front()), (std::vector<std::string>{"0", "<null>", "<null>", "<null>"})
  );
}

TEST(Group, AverageOfMinusZeroIsZero) {
  const std::vector<Column> columns = {{oid::kFloat8, 0}, {oid::kInt8, 0}};
  Recipe recipe;
  recipe.combine = {Combine::kSum, Combine::kCount};
  recipe.outputs = {
      {.column = 0}, {.kind = Output::Kind::kAverage, .column = 0, .count_column = 1}
  };
  auto merger = Merger::create(recipe, shard_columns(columns), 1, {});
  ASSERT_TRUE(merger);
  using namespace std::string_view_literals;
  Random random(1);
  const auto rows = run(**merger, {{std::string("\0\2\0\0\0\2-0\0\0\0\1"sv) + "1"}}, random);
  ASSERT_TRUE(rows);
  EXPECT_EQ(fields_of(rows->at(0)), (std::vector<std::string>{"-0", "0"}));
}

TEST(Group, NoInputWithKeysGivesNoRow) {
  const std::vector<Column> columns = {{oid::kInt8, 1}, {oid::kInt8, 1}};
  Recipe recipe;
  recipe.combine = {Combine::kGroupKey, Combine::kCount};
  auto merger = Merger::create(recipe, shard_columns(columns), 2, {});
  ASSERT_TRUE(merger);
  Random random(1);
  const auto rows = run(**merger, {{}, {}}, random);
  ASSERT_TRUE(rows);
  EXPECT_TRUE(rows->empty());
}

TEST(Group, SumPastBigintIsPostgresError) {
  const std::vector<Column> columns = {{oid::kInt8, 1}};
  Recipe recipe;
  recipe.combine = {Combine::kSum};
  auto merger = Merger::create(recipe, shard_columns(columns), 1, {});
  ASSERT_TRUE(merger);
  const std::string row = encode({{.number = std::numeric_limits<std::int64_t>::max()}}, columns);
  ASSERT_TRUE((*merger)->push(0, as_bytes(row)));
  const auto second = (*merger)->push(0, as_bytes(row));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message, "bigint out of range");
  EXPECT_EQ(second.error().sqlstate(), "22003");
}

/// Pushes one-column rows of `values` through `how` and returns the one field that comes.
std::string combined(
    Combine how, Oid type, std::int16_t format, const std::vector<std::string>& values,
    std::int16_t to
) {
  Recipe recipe;
  recipe.combine = {how};
  auto merger = Merger::create(
      recipe, std::vector<ShardColumn>{{.type = type, .format = format}}, 1,
      {.output_formats = {to}}
  );
  if (!merger) {
    return to_string(merger.error());
  }
  std::vector<std::string> bodies;
  for (const std::string& value : values) {
    std::string body;
    append_be(body, std::uint16_t{1});
    append_be(body, static_cast<std::int32_t>(value.size()));
    bodies.push_back(body + value);
  }
  Random random(1);
  const auto rows = run(**merger, {bodies}, random);
  return rows ? fields_of(rows->front()).front() : to_string(rows.error());
}

TEST(Group, EachKindOfPartialCombines) {
  EXPECT_EQ(combined(Combine::kBoolAnd, oid::kBool, 0, {"t", "f", "t"}, 0), "f");
  EXPECT_EQ(combined(Combine::kBoolOr, oid::kBool, 0, {"f", "f", "t"}, 0), "t");
  EXPECT_EQ(combined(Combine::kBoolOr, oid::kBool, 1, {std::string(1, '\0'), "\1"}, 0), "t");
  EXPECT_EQ(combined(Combine::kBitAnd, oid::kInt4, 0, {"12", "-6"}, 0), "8");
  EXPECT_EQ(combined(Combine::kBitOr, oid::kInt2, 0, {"12", "3"}, 1), std::string("\0\x0f", 2));
  EXPECT_EQ(combined(Combine::kSum, oid::kFloat8, 0, {"0.5", "1.25"}, 0), "1.75");
  EXPECT_EQ(
      combined(Combine::kSum, oid::kFloat8, 0, {"1e308", "1e308"}, 0),
      "value out of range: overflow"
  );
  EXPECT_EQ(combined(Combine::kSum, oid::kFloat4, 0, {"0.1", "0.2"}, 0), "0.3");
  EXPECT_EQ(combined(Combine::kSum, oid::kNumeric, 0, {"NaN", "1"}, 0), "NaN");
  EXPECT_EQ(
      combined(Combine::kMax, oid::kTimestamp, 0, {"2024-01-01 00:00:00", "infinity"}, 0),
      "infinity"
  );
}

TEST(Group, IntervalsSumFieldByField) {
  const auto interval = [](std::int64_t time, std::int32_t days, std::int32_t months) {
    std::string out;
    append_be(out, time);
    append_be(out, days);
    append_be(out, months);
    return out;
  };
  EXPECT_EQ(
      combined(Combine::kSum, oid::kInterval, 1, {interval(5, 40, -1), interval(-7, 1, 2)}, 1),
      interval(-2, 41, 1)
  );
}

TEST(Group, WhatCannotBeCombinedIsRefusedByTypeName) {
  EXPECT_THAT(combined(Combine::kSum, oid::kInterval, 0, {}, 0), testing::HasSubstr("interval"));
  EXPECT_THAT(combined(Combine::kSum, oid::kMoney, 1, {}, 0), testing::HasSubstr("money"));
  EXPECT_THAT(combined(Combine::kGroupKey, oid::kJsonb, 0, {}, 0), testing::HasSubstr("jsonb"));
  EXPECT_THAT(combined(Combine::kMax, 16'500, 0, {}, 0), testing::HasSubstr("type 16500"));
  EXPECT_THAT(
      combined(Combine::kMin, oid::kDate, 0, {"31.12.2024"}, 0), testing::HasSubstr("datestyle")
  );
}

TEST(Group, GroupsPastTheMemoryLimitAreRefused) {
  const std::vector<Column> columns = {{oid::kInt8, 1}, {oid::kInt8, 1}};
  Recipe recipe;
  recipe.combine = {Combine::kGroupKey, Combine::kCount};
  auto merger = Merger::create(recipe, shard_columns(columns), 1, {.memory_bytes = 200'000});
  ASSERT_TRUE(merger);
  Result<> last;
  int pushed = 0;
  for (; pushed < 100'000 && last; ++pushed) {
    last = (*merger)->push(0, as_bytes(encode({{.number = pushed}, {.number = 1}}, columns)));
  }
  ASSERT_FALSE(last);
  EXPECT_EQ(last.error().code, ErrorCode::kConfigLimit);
  EXPECT_EQ(last.error().sqlstate(), "53400");
  EXPECT_GT(pushed, 100);
}

}  // namespace
}  // namespace sherd::merge
