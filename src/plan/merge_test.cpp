#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "test_cases.hpp"

namespace sherd::plan {
namespace {

using namespace testing;

TEST(Merge, FunctionsThatDifferBetweenShardsAreRefused) {
  check({
      {"SELECT lower(name) FROM users", "merge all"},
      {"SELECT my_pure(name) FROM users", "merge all"},
      {"SELECT to_char(created, 'YYYY') FROM users", "merge all"},
      {"SELECT random() FROM users", kRefused},
      {"SELECT now() FROM users", kRefused},
      {"SELECT id FROM users WHERE created > now()", kRefused},
      {"SELECT id FROM users WHERE created > CURRENT_DATE", kRefused},
      {"SELECT CURRENT_USER, id FROM users", kRefused},
      {"SELECT age(created) FROM users", kRefused},
      {"SELECT age(created, created) FROM users", "merge all"},
      {"SELECT my_volatile(id) FROM users", kRefused},
      {"SELECT nobody_knows(id) FROM users", kRefused},
      {"SELECT my_volatile(id) FROM users WHERE id = 5", on(5)},
      {"SELECT nextval('s') FROM users WHERE id = 5", kRefused},
      {"SELECT pg_advisory_lock(id) FROM users WHERE id = 5", kRefused},
      {"SELECT ctid FROM users", kRefused},
      {"SELECT ctid FROM users WHERE id = 5", on(5)},
  });
}

TEST(Merge, ShapesThatCannotBeProvedAreRefused) {
  check({
      {"SELECT id FROM users FOR UPDATE", kRefused},
      {"SELECT id FROM users WHERE id = 5 FOR UPDATE", on(5)},
      {"SELECT u.id FROM users u, countries c WHERE u.id = 5 FOR UPDATE", kRefused},
      {"SELECT row_number() OVER (ORDER BY id) FROM users", kRefused},
      {"SELECT DISTINCT ON (name) name FROM users", kRefused},
      {"SELECT id FROM users ORDER BY id FETCH FIRST 3 ROWS WITH TIES", kRefused},
      {"SELECT id FROM users UNION SELECT user_id FROM orders", kRefused},
      {"SELECT id FROM users TABLESAMPLE BERNOULLI (10)", kRefused},
      {"SELECT generate_series(1, 3) FROM users", "merge all"},
      {"SELECT generate_series(1, 3) FROM users LIMIT 3", kRefused},
      {"SELECT id FROM users LIMIT 2 + 3", kRefused},
      {"SELECT id FROM users LIMIT -1", kRefused},
      {"SELECT id FROM users LIMIT 1.5", kRefused},
      {"SELECT sum(age) + 1 FROM users", kRefused},
      {"SELECT name, sum(age) FROM users GROUP BY id % 2, name HAVING sum(age) > 3", kRefused},
      {"SELECT age, name, count(*) FROM users GROUP BY age", kRefused},
      {"SELECT count(DISTINCT name) FROM users", kRefused},
      {"SELECT string_agg(name, ',') FROM users", kRefused},
      {"SELECT age, count(*) FROM users GROUP BY ROLLUP (age)", kRefused},
      {"SELECT DISTINCT name FROM users ORDER BY age", kRefused},
      {"SELECT DISTINCT count(*) FROM users GROUP BY age", kRefused},
  });
}

struct MergeCase {
  std::string sql;
  std::string shard_sql;  // "" = the client's own
  std::string recipe;
};

std::string squeeze(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == ' ' || c == '\n') {
      if (!out.empty() && out.back() != ' ') {
        out += ' ';
      }
    } else {
      out += c;
    }
  }
  while (out.ends_with(' ')) {
    out.pop_back();
  }
  return out;
}

const std::vector<MergeCase> kMergeCases = {
    {"SELECT * FROM users", "", ""},
    {"SELECT id, name FROM users WHERE age > 3", "", ""},
    {"SELECT id FROM users LIMIT 10", "SELECT id FROM users LIMIT 10", "limit 10"},
    {"SELECT id FROM users OFFSET 3 LIMIT 10", "SELECT id FROM users LIMIT 13", "limit 10 offset 3"
    },
    {"SELECT id FROM users OFFSET 3", "SELECT id FROM users", "offset 3"},
    {"SELECT id FROM users FETCH FIRST 2 ROWS ONLY", "SELECT id FROM users LIMIT 2", "limit 2"},
    {"SELECT id FROM users ORDER BY id DESC LIMIT 5",
     "SELECT id FROM users ORDER BY id DESC LIMIT 5", "^0df limit 5"},
    {"SELECT id FROM users ORDER BY 1 NULLS FIRST", "SELECT id FROM users ORDER BY 1 NULLS FIRST",
     "^0af"},
    {"SELECT id FROM users ORDER BY name",
     "SELECT id , (name) AS \"sherd hidden 1\" FROM users ORDER BY name", "out 0 ^1al"},
    {"SELECT id AS name FROM users ORDER BY name", "SELECT id AS \"name\" FROM users ORDER BY name",
     "^0al"},
    {"SELECT id AS name FROM users ORDER BY users.name",
     "SELECT id AS \"name\" , (users.name) AS \"sherd hidden 1\" FROM users ORDER BY users.name",
     "out 0 ^1al"},
    {"SELECT id AS name FROM users ORDER BY name COLLATE \"C\"",
     "SELECT id AS \"name\" , (name COLLATE \"C\") AS \"sherd hidden 1\" FROM users ORDER BY "
     "name COLLATE \"C\"",
     "out 0 ^1alC"},
    {"SELECT n, user_id FROM items ORDER BY user_id, n DESC NULLS LAST",
     "SELECT n , user_id FROM items ORDER BY user_id, n DESC NULLS LAST", "^1al ^0dl"},
    {"SELECT * FROM items ORDER BY n",
     "SELECT \"items\".\"user_id\" , \"items\".\"n\" FROM items ORDER BY n", "^1al"},
    {"SELECT i.* FROM items i ORDER BY 2, i.n + 1",
     "SELECT \"i\".\"user_id\" , \"i\".\"n\" , (i.n + 1) AS \"sherd hidden 2\" FROM items i "
     "ORDER BY 2, i.n + 1",
     "out 0,1 ^1al ^2al"},
    {"SELECT DISTINCT age FROM users", "SELECT DISTINCT age FROM users", "distinct"},
    {"SELECT DISTINCT age FROM users ORDER BY age LIMIT 3",
     "SELECT DISTINCT age FROM users ORDER BY age LIMIT 3", "distinct ^0al limit 3"},
    {"SELECT DISTINCT id, age FROM users ORDER BY age",
     "SELECT DISTINCT id , age FROM users ORDER BY age", "^1al"},
    {"SELECT count(*) FROM users", "SELECT count(*) FROM users", "combine count out 0"},
    {"SELECT sum(age), min(name), max(age) AS m FROM users WHERE age > 1",
     "SELECT sum(age) , min(name) , max(age) AS \"m\" FROM users WHERE age > 1",
     "combine sum,min,max out 0,1,2"},
    {"SELECT count(DISTINCT id) FROM users", "SELECT count(DISTINCT id) FROM users",
     "combine count out 0"},
    {"SELECT count(*) FILTER (WHERE age > 3) FROM users",
     "SELECT count(*) FILTER (WHERE age > 3) FROM users", "combine count out 0"},
    {"SELECT avg(age) FROM users",
     "SELECT sum(age ) AS \"avg\" , count(age ) AS \"sherd hidden 1\" FROM users",
     "combine sum,count out avg(0/1)"},
    {"SELECT avg(score) AS s FROM users",
     "SELECT sum((score)::float8 ) AS \"s\" , count(score ) AS \"sherd hidden 1\" FROM users",
     "combine sum,count out avg(0/1)"},
    {"SELECT avg(age) FILTER (WHERE age > 3) FROM users",
     "SELECT sum(age ) FILTER (WHERE age > 3 ) AS \"avg\" , count(age ) FILTER (WHERE age > 3 ) "
     "AS \"sherd hidden 1\" FROM users",
     "combine sum,count out avg(0/1)"},
    {"SELECT name, count(*) FROM users GROUP BY name ORDER BY 2 DESC LIMIT 3",
     "SELECT name , count(*) FROM users GROUP BY name",
     "combine key,count out 0,1 ^out1df limit 3"},
    {"SELECT count(*) FROM users GROUP BY age ORDER BY age",
     "SELECT count(*) , (age) AS \"sherd hidden 1\" FROM users GROUP BY age",
     "combine count,key out 0 ^1al"},
    {"SELECT lower(name), avg(age) FROM users GROUP BY lower(name)",
     "SELECT lower(name) , sum(age ) AS \"avg\" , count(age ) AS \"sherd hidden 2\" FROM users "
     "GROUP BY lower(name)",
     "combine key,sum,count out 0,avg(1/2)"},
    {"SELECT age FROM users GROUP BY 1 ORDER BY count(*)",
     "SELECT age , count(*) AS \"sherd hidden 1\" FROM users GROUP BY 1",
     "combine key,count out 0 ^1al"},
    {"SELECT user_id, count(*) FROM orders GROUP BY user_id HAVING count(*) > 3 ORDER BY 2 LIMIT "
     "2",
     "SELECT user_id , count(*) FROM orders GROUP BY user_id HAVING count(*) > 3 ORDER BY 2 "
     "LIMIT 2",
     "^1al limit 2"},
    {"SELECT string_agg(note, ',') FROM orders GROUP BY user_id", "", ""},
    {"SELECT u.id, string_agg(o.note, ',') FROM users u LEFT JOIN orders o ON o.user_id = u.id "
     "GROUP BY u.id",
     "", ""},
    {"SELECT id -- the key\n FROM users ORDER BY name -- by name\n LIMIT 3",
     "SELECT id , (name) AS \"sherd hidden 1\" -- the key FROM users ORDER BY name -- by name "
     "LIMIT 3",
     "out 0 ^1al limit 3"},
};

TEST(Merge, ShardsGetTheTextAndTheRouterTheRecipe) {
  for (const MergeCase& c : kMergeCases) {
    const auto plan = plan_text(world(), c.sql);
    ASSERT_TRUE(plan) << c.sql << ": " << to_string(plan.error());
    EXPECT_EQ(plan->kind, PlanKind::kMerge) << c.sql;
    EXPECT_EQ(squeeze(plan->shard_sql), c.shard_sql) << c.sql;
    EXPECT_EQ(print(plan->recipe), c.recipe) << c.sql;
    EXPECT_TRUE(plan->returns_rows);
    EXPECT_FALSE(plan->writes);
    EXPECT_EQ(
        plan->hidden_columns, c.recipe.contains("out") && plan->shard_sql.contains("sherd hidden")
    ) << c.sql;
    check_texts(c.sql, *plan);
  }
}

TEST(Merge, NullableKeyDoesNotKeepGroupsOnOneShard) {
  const auto plan = plan_text(
      world(),
      "SELECT o.user_id, count(*) FROM users u LEFT JOIN orders o ON o.user_id = u.id GROUP BY "
      "o.user_id"
  );
  ASSERT_TRUE(plan);
  EXPECT_EQ(print(plan->recipe), "combine key,count out 0,1");
}

TEST(Merge, CollationsOfTextColumnsAreHandedOn) {
  const auto plan = plan_text(
      world(),
      "SELECT id, key, lower(key), key || body FROM folded, users, events WHERE false OR users.id "
      "= 5"
  );
  EXPECT_FALSE(plan);  // several groups
  const auto folded = plan_text(world(), "SELECT n, key, lower(key) FROM folded ORDER BY key");
  ASSERT_TRUE(folded);
  EXPECT_THAT(
      folded->recipe.collations, ::testing::ElementsAre("", "case_insensitive", "case_insensitive")
  );
}

TEST(Merge, ParametersOfLimitStayInTheText) {
  Values values;
  values.add("10", oid::kInt8);
  values.add("3", oid::kInt8);
  auto plan =
      plan_text(world(), "SELECT id FROM users ORDER BY id LIMIT $1 OFFSET $2", values.get());
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->recipe.limit, 10U);
  EXPECT_EQ(plan->recipe.offset, 3U);
  EXPECT_THAT(plan->shard_sql, ::testing::HasSubstr("LIMIT ($1)::bigint + ($2)::bigint"));
  plan = plan_text(world(), "SELECT id FROM users OFFSET $2 LIMIT $1", values.get(false));
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->recipe.limit, std::nullopt);
  plan = plan_text(world(), "SELECT count(*) FROM users LIMIT $1", values.get());
  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->shard_sql, ::testing::HasSubstr("NULLIF(($1)::bigint, ($1)::bigint)"));
  Values negative;
  negative.add("-1", oid::kInt8);
  EXPECT_FALSE(plan_text(world(), "SELECT id FROM users LIMIT $1", negative.get()));
}

}  // namespace
}  // namespace sherd::plan
