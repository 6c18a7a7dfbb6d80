#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "test_cases.hpp"

namespace sherd::plan {
namespace {

using namespace testing;

struct ParameterCase {
  std::string sql;
  std::optional<std::string> value;
  Oid type;
  std::uint16_t format;
  std::string expected;
};

std::string binary(auto value) {
  std::string bytes;
  append_be(bytes, value);
  return bytes;
}

TEST(Parameters, ValuesConfineWhereTheirTypeIsCertain) {
  const std::string by_id = "SELECT * FROM users WHERE id = $1";
  const std::string by_key = "SELECT * FROM events WHERE key = $1";
  const auto event = fmt::format("single {}", index_of(world().owner_of_text(2, "abc")));
  std::string array;
  for (const std::int32_t word : {1, 0, 20, 1, 1, 8}) {
    append_be(array, word);
  }
  append_be(array, std::int64_t{5});
  const std::vector<ParameterCase> cases = {
      {by_id, "5", 0, 0, on(5)},
      {by_id, "5", oid::kInt8, 0, on(5)},
      {by_id, "5", oid::kInt4, 0, on(5)},
      {by_id, binary(std::int64_t{5}), oid::kInt8, 1, on(5)},
      {by_id, binary(std::int32_t{5}), oid::kInt4, 1, on(5)},
      {by_id, binary(std::int16_t{5}), oid::kInt2, 1, on(5)},
      {by_id, binary(std::int64_t{5}), 0, 1, on(5)},
      {by_id, binary(std::int32_t{5}), 0, 1, "merge all"},
      {by_id, std::nullopt, 0, 0, kHome},
      {by_id, "5", oid::kNumeric, 0, "merge all"},
      {by_id, "5", oid::kFloat8, 0, "merge all"},
      {by_id, binary(std::int64_t{5}), oid::kFloat8, 1, "merge all"},
      {by_id, "abc", 0, 0, "merge all"},
      {by_id + "::bigint", "5", oid::kText, 0, on(5)},
      {by_id + "::bigint", "5", oid::kNumeric, 0, "merge all"},
      {by_id + "::numeric", "5", 0, 0, "merge all"},
      {by_id + " OR id = $1", "5", 0, 0, on(5)},
      // $1 may be numeric, or float8: nothing can be said of its bytes.
      {"SELECT * FROM users WHERE balance > $1 AND id = $1", "5", 0, 0, "merge all"},
      {"SELECT * FROM users WHERE score > $1 AND id = $1", binary(std::int64_t{5}), 0, 1,
       "merge all"},
      {"SELECT * FROM users WHERE balance > $1 AND id = $1", "5", oid::kInt8, 0, on(5)},
      {by_key, "abc", 0, 0, event},
      {by_key, "abc", oid::kVarchar, 1, event},
      {by_key, "abc", oid::kBpchar, 0, "merge all"},
      {by_key, "abc", oid::kName, 0, "merge all"},
      {"SELECT * FROM users WHERE id = ANY ($1)", "{5,6}", 0, 0, on({5, 6})},
      {"SELECT * FROM users WHERE id = ANY ($1)", "{5,6}", oid::kInt8Array, 0, on({5, 6})},
      {"SELECT * FROM users WHERE id = ANY ($1)", array, oid::kInt8Array, 1, on(5)},
      {"SELECT * FROM users WHERE id = ANY ($1)", "{{5},{6}}", 0, 0, "merge all"},
      {"SELECT * FROM users WHERE id = ANY ($1)", "[2:3]={5,6}", 0, 0, "merge all"},
      {"SELECT * FROM users WHERE id = ANY ($1::bigint[])", "{5}", 0, 0, on(5)},
      {"SELECT * FROM users WHERE id = ANY ($1::text[])", "{5}", 0, 0, "merge all"},
      {"INSERT INTO users (id) VALUES ($1)", "5", 0, 0, on(5)},
      {"INSERT INTO users (id) VALUES ($1)", std::nullopt, 0, 0, "23502"},
      {"INSERT INTO users (id) VALUES ($1)", "5", oid::kNumeric, 0, kRefused},
      {"INSERT INTO users (id) VALUES ($1)", "abc", 0, 0, "22P02"},
  };
  for (const ParameterCase& c : cases) {
    Values values;
    values.add(c.value, c.type, c.format);
    const auto plan = plan_text(world(), c.sql, values.get());
    EXPECT_EQ(outcome(plan), c.expected)
        << c.sql << " with " << c.value.value_or("NULL") << " of type " << c.type;
    const auto parsed = parse(c.sql);
    const auto route = Route::compile(*parsed->statement, world().context());
    if (route) {
      const auto shard = route->shard(parsed->lifted.literals, values.get(), world().snapshot());
      ASSERT_TRUE(shard);
      if (*shard) {
        ASSERT_TRUE(plan) << c.sql;
        EXPECT_EQ(**shard, plan->shards.front()) << c.sql;
      }
    }
  }
}

TEST(Parameters, TypeOfOneUsedTwiceInARowIsNotGuessed) {
  // The server takes $1 for numeric here; eight bytes of a numeric are no bigint.
  Values values;
  values.add(binary(std::int64_t{2}), 0, 1);
  const auto parsed = parse("INSERT INTO users (balance, id) VALUES ($1, $1)");
  const auto plan = make_plan(*parsed->statement, {}, values.get(), world().context());
  EXPECT_EQ(outcome(plan), kRefused);
  const auto route = Route::compile(*parsed->statement, world().context());
  ASSERT_NE(route, nullptr);
  EXPECT_EQ(*route->shard({}, values.get(), world().snapshot()), std::nullopt);
}

TEST(Parameters, TextInAnotherEncodingIsNoKey) {
  Parameters latin;
  latin.text_is_utf8 = false;
  EXPECT_EQ(
      outcome(plan_text(world(), "SELECT * FROM events WHERE key = '\xc3\xa9'", latin)), "merge all"
  );
  EXPECT_EQ(outcome(plan_text(world(), "INSERT INTO events VALUES ('\xc3\xa9')", latin)), kRefused);
  EXPECT_EQ(outcome(plan_text(world(), "COPY events FROM STDIN", latin)), kRefused);
  const auto ascii = fmt::format("single {}", index_of(world().owner_of_text(2, "e")));
  EXPECT_EQ(outcome(plan_text(world(), "SELECT * FROM events WHERE key = 'e'", latin)), ascii);
}

TEST(Parameters, BeforeTheyAreKnownEveryShardIsMeant) {
  Values values;
  values.add("5", oid::kInt8);
  EXPECT_EQ(
      outcome(plan_text(world(), "SELECT * FROM users WHERE id = $1", values.get(false))),
      "merge all"
  );
  EXPECT_EQ(
      plan_text(world(), "INSERT INTO users (id) VALUES ($1)", values.get(false))->kind,
      PlanKind::kSingle
  );
}

TEST(CachedFacts, AnotherTextWithTheSameKeyIsPlannedFromItsOwnValues) {
  const std::pair<const char*, const char*> pairs[] = {
      {"SELECT * FROM users WHERE id = 5", "SELECT * FROM users WHERE id = 123456"},
      {"SELECT id FROM users WHERE name = 'a' ORDER BY name LIMIT 1",
       "SELECT id FROM users WHERE name = 'longer ''name' ORDER BY name LIMIT 1000"},
      {"INSERT INTO users (id, name) VALUES (1, 'a'), (2, 'b'), (3, 'c')",
       "INSERT INTO users (id, name) VALUES (100, 'aaaa'), (2, ''), (31, 'x')"},
      {"SELECT age, avg(score) FROM users WHERE age > 1 GROUP BY age ORDER BY avg(score) LIMIT 2",
       "SELECT age, avg(score) FROM users WHERE age > 1000 GROUP BY age ORDER BY avg(score) LIMIT "
       "22"},
  };
  for (const auto& [first, second] : pairs) {
    const auto cached = parse(first);
    const auto fresh = parse(second);
    ASSERT_EQ(cached->lifted.key, fresh->lifted.key);
    Context context = world().context();
    const auto expected = make_plan(*fresh->statement, fresh->lifted.literals, {}, context);
    context.text = fresh->text;
    const auto actual = make_plan(*cached->statement, fresh->lifted.literals, {}, context);
    ASSERT_EQ(outcome(actual), outcome(expected)) << second;
    if (actual) {
      EXPECT_EQ(actual->shard_sql, expected->shard_sql);
      EXPECT_EQ(actual->split, expected->split);
      EXPECT_EQ(print(actual->recipe), print(expected->recipe));
    }
  }
}

TEST(Route, PointStatementsHaveAShortWay) {
  const char* short_ways[] = {
      "SELECT * FROM users WHERE id = 5",
      "SELECT * FROM users WHERE id = $1 AND name = $2",
      "SELECT * FROM users u JOIN orders o ON o.user_id = u.id WHERE u.id = $1",
      "UPDATE users SET name = 'x' WHERE id = 5",
      "DELETE FROM orders WHERE user_id = 5 AND id = 3",
      "INSERT INTO users (id, name) VALUES ($1, $2)",
      "SELECT * FROM users WHERE id = $1 FOR UPDATE",
  };
  for (const char* text : short_ways) {
    EXPECT_NE(Route::compile(*parse(text)->statement, world().context()), nullptr) << text;
  }
  const char* long_ways[] = {
      "SELECT * FROM users",
      "SELECT * FROM users WHERE id = 5 OR id = 6",
      "SELECT * FROM settings WHERE key = 'x'",
      "SELECT * FROM users, settings WHERE users.id = 5",
      "UPDATE users SET id = 5 WHERE id = 5",
      "INSERT INTO users (id) VALUES (1), (2)",
      "INSERT INTO serials (id) VALUES (1)",
      "INSERT INTO countries VALUES ('x')",
      "SELECT nextval('s') FROM users WHERE id = 5",
      "SELECT * FROM users u, countries c WHERE u.id = 5 FOR UPDATE",
  };
  for (const char* text : long_ways) {
    EXPECT_EQ(Route::compile(*parse(text)->statement, world().context()), nullptr) << text;
  }
}

TEST(Route, AnotherEpochIsNotAnswered) {
  const auto parsed = parse("SELECT * FROM users WHERE id = 5");
  const auto route = Route::compile(*parsed->statement, world().context());
  ASSERT_NE(route, nullptr);
  topology::Snapshot later = world().snapshot();
  later.epoch = Epoch(4);
  EXPECT_EQ(*route->shard(parsed->lifted.literals, {}, later), std::nullopt);
}

TEST(Describe, PlanIsExplainedLineByLine) {
  const auto plan = plan_text(world(), "SELECT id FROM users ORDER BY name LIMIT 3");
  ASSERT_TRUE(plan);
  const auto lines = describe(*plan, world().snapshot());
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_EQ(lines[0], "Merge of shards: s1, s2, s3, s4");
  const auto single =
      describe(*plan_text(world(), "SELECT * FROM users WHERE id = 5"), world().snapshot());
  EXPECT_THAT(single, ::testing::Contains("  Reason: id = 5"));
}

}  // namespace
}  // namespace sherd::plan
