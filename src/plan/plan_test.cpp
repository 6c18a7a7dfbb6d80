#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sherd/base/check.hpp>

#include "test_world.hpp"

namespace sherd::plan {
namespace {

using testing::parse;
using testing::plan_text;
using testing::Values;
using testing::World;

const World& world() {
  static const World kWorld;
  return kWorld;
}

std::string name_of(PlanKind kind) {
  switch (kind) {
    case PlanKind::kSingle:
      return "single";
    case PlanKind::kMerge:
      return "merge";
    case PlanKind::kWriteAll:
      return "write-all";
    case PlanKind::kWriteCopies:
      return "copies";
    case PlanKind::kWriteSplit:
      return "split";
    case PlanKind::kAllShards:
      return "all-shards";
    case PlanKind::kCopyIn:
      return "copy-in";
    case PlanKind::kCopyOut:
      return "copy-out";
  }
  return "?";
}

std::string names_of(const std::vector<ShardId>& shards) {
  std::string text;
  for (const ShardId id : shards) {
    text += fmt::format("{}{}", text.empty() ? "" : ",", index_of(id));
  }
  return text == "1,2,3,4" ? "all" : text;
}

/// "single 2", "merge all", or the SQLSTATE of the refusal.
std::string outcome(const Result<Plan>& plan) {
  return plan ? fmt::format("{} {}", name_of(plan->kind), names_of(plan->shards))
              : std::string(plan.error().sqlstate());
}

std::string on(std::int64_t key) {
  return fmt::format("single {}", index_of(world().owner(key)));
}
std::string on(std::initializer_list<std::int64_t> keys, const char* kind = "merge") {
  ShardSet set;
  for (const std::int64_t key : keys) {
    set.add(world().owner(key));
  }
  return fmt::format("{} {}", kind, names_of(set.to_vector()));
}
const std::string kHome = "single 1";
const std::string kRefused = "0A000";

struct Case {
  std::string sql;
  std::string expected;
};

/// What is sent to shards must be SQL, and the short way must say what make_plan says.
void check_texts(const std::string& sql, const Plan& plan) {
  std::vector<std::string> texts = plan.split;
  if (!plan.shard_sql.empty()) {
    texts.push_back(plan.shard_sql);
  }
  for (const std::string& text : texts) {
    EXPECT_NE(parse(text)->statement, nullptr) << sql << "\n became " << text;
  }
}

void check_route(const std::string& sql, const Result<Plan>& plan) {
  const auto parsed = parse(sql);
  if (!parsed->statement) {
    return;
  }
  const auto route = Route::compile(*parsed->statement, world().context());
  if (!route) {
    return;
  }
  const auto shard = route->shard(parsed->lifted.literals, {}, world().snapshot());
  ASSERT_TRUE(shard) << sql;
  if (!*shard) {
    return;
  }
  ASSERT_TRUE(plan) << sql << ": the short way knows a shard where make_plan refuses";
  ASSERT_EQ(plan->kind, PlanKind::kSingle) << sql;
  if (plan->reason != "no row can match") {  // then any shard will do
    EXPECT_EQ(**shard, plan->shards.front()) << sql;
  }
  EXPECT_EQ(route->writes(), plan->writes) << sql;
}

void check(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    const auto plan = plan_text(world(), c.sql);
    EXPECT_EQ(outcome(plan), c.expected)
        << c.sql << "\n  " << (plan ? plan->reason : to_string(plan.error()));
    if (plan) {
      check_texts(c.sql, *plan);
      EXPECT_EQ(plan->epoch, world().snapshot().epoch);
      EXPECT_FALSE(plan->shards.empty()) << c.sql;
    } else {
      EXPECT_FALSE(plan.error().sqlstate() == "0A000" && plan.error().hint.empty())
          << c.sql << ": no hint";
    }
    check_route(c.sql, plan);
  }
}

TEST(World, KeysOfTheTestsAreOnDifferentShards) {
  ASSERT_NE(world().owner(5), world().owner(6));
  ASSERT_NE(world().owner(5), world().owner(7));
  ASSERT_NE(world().owner(6), world().owner(7));
}

TEST(Predicates, KeyConditionsConfineToTheirShards) {
  check({
      {"SELECT * FROM users WHERE id = 5", on(5)},
      {"SELECT * FROM public.users WHERE 5 = users.id", on(5)},
      {"SELECT * FROM users WHERE id = -5", on(-5)},
      {"SELECT * FROM users WHERE id = '5'", on(5)},
      {"SELECT * FROM users WHERE id = 5::int", on(5)},
      {"SELECT * FROM users WHERE id = '5'::bigint", on(5)},
      {"SELECT * FROM users WHERE id IN (5, 6, 7)", on({5, 6, 7})},
      {"SELECT * FROM users WHERE id = ANY (ARRAY[5, 6])", on({5, 6})},
      {"SELECT * FROM users WHERE id = ANY ('{5,6,NULL}')", on({5, 6})},
      {"SELECT * FROM users WHERE id = 5 OR id = 6", on({5, 6})},
      {"SELECT * FROM users WHERE id = 5 AND id = 6 OR id = 5", on(5)},
      {"SELECT * FROM users WHERE id IS NOT DISTINCT FROM 5", on(5)},
      {"SELECT * FROM users WHERE id = 5 AND name = 'x'", on(5)},
      {"SELECT * FROM users u WHERE u.id = 5 AND (name = 'x' OR age > 3)", on(5)},
      {"SELECT * FROM users WHERE id IN (5) OR (id = 6 AND name = 'x')", on({5, 6})},
  });
}

TEST(Predicates, WhatIsNotUnderstoodMeansAllShards) {
  check({
      {"SELECT * FROM users", "merge all"},
      {"SELECT * FROM users WHERE id <> 5", "merge all"},
      {"SELECT * FROM users WHERE NOT id = 5", "merge all"},
      {"SELECT * FROM users WHERE NOT (id <> 5)", "merge all"},
      {"SELECT * FROM users WHERE id = 5 OR name = 'x'", "merge all"},
      {"SELECT * FROM users WHERE id + 0 = 5", "merge all"},
      {"SELECT * FROM users WHERE id = 2 + 3", "merge all"},
      {"SELECT * FROM users WHERE id = 5.0", "merge all"},
      {"SELECT * FROM users WHERE id = 5::numeric", "merge all"},
      {"SELECT * FROM users WHERE id = 4.6::int", "merge all"},
      {"SELECT * FROM users WHERE id = '5'::text::bigint", "merge all"},
      {"SELECT * FROM users WHERE id::text = '5'", "merge all"},
      {"SELECT * FROM users WHERE id IN (5, 6.0)", "merge all"},
      {"SELECT * FROM users WHERE id = age", "merge all"},
      {"SELECT * FROM users WHERE id = abs(5)", "merge all"},
      {"SELECT * FROM users WHERE id >= 5", "merge all"},
      {"SELECT * FROM users WHERE id BETWEEN 5 AND 5000", "merge all"},
      {"SELECT * FROM users WHERE age = 5", "merge all"},
      {"SELECT * FROM users WHERE id = 'abc'", "merge all"},
      {"SELECT * FROM users WHERE (id = 5) IS TRUE", "merge all"},
      {"SELECT * FROM users WHERE CASE WHEN id = 5 THEN true ELSE true END", "merge all"},
      {"SELECT * FROM events WHERE key = 'a'::name", "merge all"},
      {"SELECT * FROM events WHERE key = 'a'::varchar(1)", "merge all"},
      {"SELECT * FROM events WHERE key = 'a'::char(3)", "merge all"},
      {"SELECT * FROM events WHERE key = 'a' COLLATE \"de_DE\"", "merge all"},
      {"SELECT * FROM events WHERE lower(key) = 'a'", "merge all"},
      {"SELECT * FROM events WHERE key LIKE 'a'", "merge all"},
      {"SELECT * FROM events WHERE key > 'a'", "merge all"},
      {"SELECT * FROM folded WHERE key = 'a'", "merge all"},
  });
}

TEST(Predicates, ConditionsThatNoRowMeetsGoToOneShard) {
  check({
      {"SELECT * FROM users WHERE id = NULL", kHome},
      {"SELECT * FROM users WHERE id IS NULL", kHome},
      {"SELECT * FROM users WHERE id IS NOT DISTINCT FROM NULL", kHome},
      {"SELECT * FROM users WHERE false", kHome},
      {"SELECT * FROM users WHERE id IN (NULL)", kHome},
      {"SELECT * FROM users WHERE id = ANY ('{}')", kHome},
      {"SELECT * FROM users WHERE id = 99999999999999999999", kHome},
      {"SELECT * FROM items WHERE user_id = 3000000000", kHome},
      {"SELECT count(*) FROM users WHERE id = 5 AND false", kHome},
      {"SELECT * FROM days WHERE day = 1000", kHome},
  });
}

TEST(Predicates, RangesConfineRangeTablesExactly) {
  check({
      {"SELECT * FROM days WHERE day = 150", "single 2"},
      {"SELECT * FROM days WHERE day >= 200", "merge 3,4"},
      {"SELECT * FROM days WHERE day > 99 AND day < 200", "single 2"},
      {"SELECT * FROM days WHERE 200 > day", "merge 1,2"},
      {"SELECT * FROM days WHERE day BETWEEN 150 AND 250", "merge 2,3"},
      {"SELECT * FROM days WHERE day BETWEEN 150 AND 160 OR day = 350", "merge 2,4"},
      {"SELECT * FROM days WHERE day >= 150 AND day >= 250", "merge 3,4"},
      {"SELECT * FROM days WHERE day > NULL", kHome},
      {"SELECT * FROM days WHERE day < 1.5", "merge all"},
      {"SELECT * FROM users WHERE id BETWEEN 5 AND 6", on({5, 6})},
  });
}

TEST(Predicates, EachKeyTypeHasOneForm) {
  const std::string uuid = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
  std::string scratch;
  const auto doc = fmt::format(
      "single {}",
      index_of(world().owner(3, *pgtypes::key_from_text(pgtypes::KeyType::kUuid, uuid, scratch)))
  );
  const auto text = fmt::format("single {}", index_of(world().owner_of_text(2, "it's")));
  check({
      {"SELECT * FROM docs WHERE doc = '" + uuid + "'", doc},
      {"SELECT * FROM docs WHERE doc = '{A0EEBC999C0B4EF8BB6D6BB9BD380A11}'::uuid", doc},
      {"SELECT * FROM docs WHERE doc = uuid '" + uuid + "'", doc},
      {"SELECT * FROM events WHERE key = 'it''s'", text},
      {"SELECT * FROM events WHERE key = E'it\\'s'", text},
      {"SELECT * FROM events WHERE key = $$it's$$::text", text},
      {"SELECT * FROM events WHERE key = ANY ('{\"it''s\"}'::text[])", text},
      {"SELECT * FROM items WHERE user_id = 5", on(5)},
      // A comparison does not cut the value to varchar(3), storing it does.
      {"SELECT * FROM codes WHERE code = 'ab'",
       fmt::format("single {}", index_of(world().owner_of_text(5, "ab")))},
      {"INSERT INTO codes VALUES ('abc   ', 1)",
       fmt::format("single {}", index_of(world().owner_of_text(5, "abc")))},
  });
}

TEST(Joins, KeyEqualityConfinesAllTablesThatMustBeEqual) {
  check({
      {"SELECT * FROM users u JOIN orders o ON o.user_id = u.id WHERE u.id = 5", on(5)},
      {"SELECT * FROM users u, orders o WHERE o.user_id = u.id AND o.user_id = 5", on(5)},
      {"SELECT * FROM users u JOIN items i ON i.user_id = u.id WHERE u.id = 5", on(5)},
      {"SELECT * FROM users u LEFT JOIN orders o ON o.user_id = u.id WHERE u.id = 5", on(5)},
      {"SELECT * FROM users u LEFT JOIN orders o ON o.user_id = u.id AND u.id = 5 WHERE u.id = 5",
       on(5)},
      {"SELECT * FROM users u LEFT JOIN orders o ON o.user_id = u.id WHERE o.user_id = 5", on(5)},
      {"SELECT * FROM users u RIGHT JOIN orders o ON o.user_id = u.id WHERE o.user_id = 5", on(5)},
      {"SELECT * FROM users u FULL JOIN orders o ON o.user_id = u.id WHERE o.user_id = 5 AND u.id "
       "= 5",
       on(5)},
      {"SELECT * FROM orders JOIN items USING (user_id) WHERE user_id = 5", on(5)},
      {"SELECT * FROM orders NATURAL JOIN items WHERE user_id = 5", on(5)},
      {"SELECT * FROM users u JOIN countries c ON c.id = u.id WHERE c.id = 5", on(5)},
      {"SELECT * FROM users a JOIN users b ON a.id = b.id JOIN orders o ON o.user_id = b.id WHERE "
       "a.id = 5",
       on(5)},
      {"SELECT * FROM users u, (VALUES (5)) v (x) WHERE u.id = v.x", on(5)},
      {"SELECT * FROM (VALUES (5), (6)) v (x) JOIN users u ON u.id = v.x", on({5, 6})},
  });
}

TEST(Joins, OuterJoinsRestrictOnlyWhatTheyRestrict) {
  check({
      // ON of an outer join does not restrict the side that is kept.
      {"SELECT * FROM users u LEFT JOIN orders o ON o.user_id = u.id AND u.id = 5", "merge all"},
      {"SELECT * FROM users u LEFT JOIN orders o ON o.user_id = u.id AND o.user_id = 5", "merge all"
      },
      // The anti-join looks at all partners.
      {"SELECT * FROM users u LEFT JOIN orders o ON o.user_id = u.id WHERE o.user_id IS NULL",
       "merge all"},
      {"SELECT * FROM users u LEFT JOIN orders o ON o.user_id = u.id WHERE o.user_id IS NULL OR "
       "o.user_id = 5",
       "merge all"},
      {"SELECT * FROM users u LEFT JOIN orders o ON o.id = u.age WHERE u.id = 5", kRefused},
      {"SELECT * FROM users u FULL JOIN orders o ON o.user_id = u.id WHERE u.id = 5", on(5)},
      {"SELECT * FROM users u FULL JOIN orders o ON o.user_id = u.id", kRefused},
      {"SELECT * FROM countries c LEFT JOIN users u ON u.id = c.id", kRefused},
      {"SELECT * FROM users u RIGHT JOIN countries c ON u.id = c.id", kRefused},
      {"SELECT * FROM countries c RIGHT JOIN users u ON u.id = c.id", "merge all"},
      {"SELECT * FROM users u LEFT JOIN countries c ON u.id = c.id", "merge all"},
      {"SELECT * FROM users u LEFT JOIN (orders o JOIN items i ON i.user_id = o.user_id) ON "
       "o.user_id = u.id",
       "merge all"},
      {"SELECT * FROM users a CROSS JOIN users b LEFT JOIN orders o ON o.user_id = a.id AND "
       "o.user_id = b.id",
       kRefused},
  });
}

TEST(Joins, TablesThatDoNotMeetOnTheirKeysAreRefusedOverShards) {
  check({
      {"SELECT * FROM users u, orders o", kRefused},
      {"SELECT * FROM users u JOIN orders o ON o.id = u.id", kRefused},
      {"SELECT * FROM users u JOIN orders o ON o.user_id = u.id OR u.id = 5", kRefused},
      {"SELECT * FROM users u JOIN orders o ON o.user_id = u.id", "merge all"},
      {"SELECT * FROM users u JOIN events e ON e.key = u.name", kRefused},
      {"SELECT * FROM users u JOIN days d ON d.day = u.id", kRefused},
      {"SELECT * FROM users u JOIN orders o ON o.user_id = u.id + 0", kRefused},
      {"SELECT * FROM users u JOIN orders o ON o.user_id::numeric = u.id", kRefused},
      {"SELECT * FROM users u JOIN users b ON u.id = b.balance", kRefused},
      {"SELECT * FROM users u JOIN settings s ON s.id = u.id", kRefused},
      {"SELECT * FROM users u WHERE id = 5 AND EXISTS (SELECT 1 FROM orders o)", kRefused},
  });
}

TEST(Joins, LocalTablesMeetRowsOfTheHomeShardOnly) {
  std::int64_t at_home = 0;
  while (world().owner(at_home) != ShardId(1)) {
    ++at_home;
  }
  std::int64_t away = 0;
  while (world().owner(away) == ShardId(1)) {
    ++away;
  }
  check({
      {fmt::format("SELECT * FROM users u, settings s WHERE u.id = {}", at_home), kHome},
      {fmt::format("SELECT * FROM users u, settings s WHERE u.id = {}", away), kRefused},
      {fmt::format("SELECT * FROM users u, unknown_table s WHERE u.id = {}", away), kRefused},
      {"SELECT * FROM settings", kHome},
      {"SELECT * FROM settings s JOIN countries c ON s.key = c.code", kHome},
      {"SELECT * FROM pg_class", kHome},
      {"SELECT * FROM information_schema.tables", kHome},
      {"SELECT * FROM no_such_table", kHome},
      {"SELECT 1", kHome},
      {"SELECT now(), random(), nextval('s')", kHome},
  });
}

TEST(Subqueries, CorrelationThroughTheKeyConfinesThem) {
  check({
      {"SELECT * FROM users u WHERE u.id = 5 AND EXISTS (SELECT 1 FROM orders o WHERE o.user_id = "
       "u.id)",
       on(5)},
      {"SELECT * FROM users u WHERE u.id = 5 AND NOT EXISTS (SELECT 1 FROM orders o WHERE "
       "o.user_id = u.id)",
       on(5)},
      {"SELECT u.*, (SELECT count(*) FROM orders o WHERE o.user_id = u.id) FROM users u WHERE u.id "
       "= 5",
       on(5)},
      {"SELECT * FROM users u WHERE u.id = 5 AND u.id IN (SELECT o.user_id FROM orders o)", on(5)},
      {"SELECT * FROM users u WHERE u.id IN (SELECT o.user_id FROM orders o WHERE o.user_id = 5)",
       on(5)},
      {"SELECT * FROM users u, LATERAL (SELECT count(*) FROM orders o WHERE o.user_id = u.id) c "
       "WHERE u.id = 5",
       on(5)},
      {"SELECT * FROM (SELECT id, name FROM users) s WHERE s.id = 5", on(5)},
      {"SELECT * FROM (SELECT * FROM users) s JOIN orders o ON o.user_id = s.id WHERE o.user_id = "
       "5",
       on(5)},
      {"SELECT * FROM (SELECT id AS x FROM users WHERE id = 5) s JOIN orders o ON o.user_id = s.x",
       on(5)},
      {"WITH s AS (SELECT * FROM users WHERE id = 5) SELECT * FROM s JOIN orders o ON o.user_id = "
       "s.id",
       on(5)},
      {"WITH s (a) AS (SELECT id FROM users) SELECT * FROM s WHERE a = 5", on(5)},
      {"SELECT * FROM (SELECT user_id, count(*) FROM orders GROUP BY user_id) s WHERE s.user_id = "
       "5",
       on(5)},
      {"SELECT id FROM users WHERE id = 5 UNION ALL SELECT user_id FROM orders WHERE user_id = 5",
       on(5)},
      {"SELECT * FROM users WHERE id = 5 AND name IN (SELECT name FROM countries)", on(5)},
  });
}

TEST(Subqueries, WhatTheyDoNotLetThroughStaysUnconfined) {
  check({
      // The rows that LIMIT lets through depend on all others.
      {"SELECT * FROM (SELECT id FROM users ORDER BY name LIMIT 1) s WHERE s.id = 5", kRefused},
      {"SELECT * FROM (SELECT q.id FROM (SELECT id FROM users ORDER BY name LIMIT 1) q) s WHERE "
       "s.id = 5",
       kRefused},
      {"SELECT * FROM users u WHERE u.id = 5 AND u.id IN (SELECT o.user_id FROM orders o ORDER BY "
       "id LIMIT 10)",
       kRefused},
      {"WITH s AS (SELECT id FROM users ORDER BY name LIMIT 1) SELECT * FROM s WHERE s.id = 5",
       kRefused},
      {"SELECT * FROM (SELECT id, row_number() OVER (ORDER BY name) FROM users) s WHERE s.id = 5",
       kRefused},
      {"SELECT * FROM (SELECT DISTINCT ON (name) id FROM users ORDER BY name, age) s WHERE s.id = "
       "5",
       kRefused},
      {"SELECT * FROM (SELECT max(id) AS id FROM users) s WHERE s.id = 5", kRefused},
      {"SELECT * FROM (SELECT id + 0 AS id FROM users) s WHERE s.id = 5", kRefused},
      {"WITH s (id, x) AS (SELECT age, id FROM users) SELECT * FROM s WHERE s.id = 5", kRefused},
      {"WITH s AS (SELECT id FROM users) SELECT * FROM s a, s b WHERE a.id = 5", kRefused},
      {"SELECT * FROM users u WHERE u.id = 5 AND u.age IN (SELECT o.id FROM orders o)", kRefused},
      {"SELECT * FROM users u WHERE u.id = 5 OR u.id IN (SELECT o.user_id FROM orders o WHERE "
       "o.user_id = 5)",
       kRefused},
      {"SELECT * FROM users u WHERE u.id NOT IN (SELECT o.user_id FROM orders o) AND u.id = 5",
       kRefused},
      {"SELECT * FROM users u, (SELECT count(*) c FROM orders WHERE false) s WHERE u.id = s.c",
       kRefused},
      {"SELECT * FROM users u WHERE u.id IN (SELECT count(*) FROM orders WHERE false)", kRefused},
      {"SELECT id FROM users WHERE id = 5 UNION ALL SELECT user_id FROM orders", kRefused},
      {"SELECT * FROM (SELECT id FROM users UNION SELECT user_id FROM orders) s WHERE s.id = 5",
       kRefused},
      // u in the inner FROM is not the outer one's.
      {"SELECT * FROM users u WHERE u.id = 5 AND EXISTS (SELECT 1 FROM orders u, LATERAL (SELECT 1 "
       "FROM orders o WHERE o.user_id = u.user_id) l)",
       kRefused},
  });
}

TEST(Subqueries, SubqueriesThatShardsCannotDoAloneAreRefused) {
  check({
      {"SELECT * FROM users WHERE age > (SELECT avg(age) FROM users)", kRefused},
      {"SELECT * FROM users WHERE name = (SELECT name FROM countries LIMIT 1)", kRefused},
      {"SELECT * FROM users WHERE name = (SELECT string_agg(name, ',') FROM countries)", kRefused},
      {"SELECT * FROM users WHERE name IN (SELECT name FROM countries)", "merge all"},
      {"SELECT * FROM users WHERE age > (SELECT count(*) FROM countries)", "merge all"},
      {"WITH c AS (SELECT * FROM countries) SELECT u.id FROM users u JOIN c ON c.name = u.name",
       "merge all"},
      {"WITH d AS (DELETE FROM orders WHERE user_id = 5 RETURNING *) SELECT * FROM d", kRefused},
      {"WITH d AS (DELETE FROM settings RETURNING *) SELECT * FROM d", kHome},
  });
}

TEST(Views, ViewsAreWhatTheyRead) {
  check({
      {"SELECT * FROM all_countries", kHome},
      {"SELECT u.id FROM users u JOIN all_countries c ON c.code = u.name", "merge all"},
      {"SELECT * FROM all_settings", kHome},
      {"SELECT * FROM all_users", kRefused},
      {"SELECT * FROM all_users WHERE id = 5", kRefused},
      {"SELECT * FROM parted_1", kRefused},
      {"SELECT * FROM parted", "merge all"},
  });
}

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

std::string print(const merge::Recipe& recipe) {
  constexpr const char* kCombine[] = {"key",      "count",   "sum",     "min",   "max",
                                      "bool_and", "bool_or", "bit_and", "bit_or"};
  std::string text;
  for (const merge::Combine combine : recipe.combine) {
    text +=
        fmt::format("{}{}", text.empty() ? "combine " : ",", kCombine[static_cast<int>(combine)]);
  }
  std::string outputs;
  for (const merge::Output& output : recipe.outputs) {
    outputs += outputs.empty() ? "" : ",";
    outputs += output.kind == merge::Output::Kind::kAverage
                   ? fmt::format("avg({}/{})", output.column, output.count_column)
                   : std::to_string(output.column);
  }
  text += outputs.empty() ? "" : " out " + outputs;
  text += recipe.distinct ? " distinct" : "";
  for (const merge::SortKey& key : recipe.order) {
    text += fmt::format(
        " {}{}{}{}{}", key.on_output ? "^out" : "^", key.output, key.descending ? "d" : "a",
        key.nulls_first ? "f" : "l", key.collation
    );
  }
  text += recipe.limit ? fmt::format(" limit {}", *recipe.limit) : "";
  text += recipe.offset != 0 ? fmt::format(" offset {}", recipe.offset) : "";
  return text.starts_with(' ') ? text.substr(1) : text;
}

TEST(Merge, ShardsGetTheTextAndTheRouterTheRecipe) {
  const std::vector<MergeCase> cases = {
      {"SELECT * FROM users", "", ""},
      {"SELECT id, name FROM users WHERE age > 3", "", ""},
      {"SELECT id FROM users LIMIT 10", "SELECT id FROM users LIMIT 10", "limit 10"},
      {"SELECT id FROM users OFFSET 3 LIMIT 10", "SELECT id FROM users LIMIT 13",
       "limit 10 offset 3"},
      {"SELECT id FROM users OFFSET 3", "SELECT id FROM users", "offset 3"},
      {"SELECT id FROM users FETCH FIRST 2 ROWS ONLY", "SELECT id FROM users LIMIT 2", "limit 2"},
      {"SELECT id FROM users ORDER BY id DESC LIMIT 5",
       "SELECT id FROM users ORDER BY id DESC LIMIT 5", "^0df limit 5"},
      {"SELECT id FROM users ORDER BY 1 NULLS FIRST", "SELECT id FROM users ORDER BY 1 NULLS FIRST",
       "^0af"},
      {"SELECT id FROM users ORDER BY name",
       "SELECT id , (name) AS \"sherd hidden 1\" FROM users ORDER BY name", "out 0 ^1al"},
      {"SELECT id AS name FROM users ORDER BY name",
       "SELECT id AS \"name\" FROM users ORDER BY name", "^0al"},
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
  for (const MergeCase& c : cases) {
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

TEST(Insert, RowsGoToTheShardOfTheirKey) {
  check({
      {"INSERT INTO users VALUES (5, 'x')", on(5)},
      {"INSERT INTO users (name, id) VALUES ('x', 5) RETURNING *", on(5)},
      {"INSERT INTO users (id) VALUES ('5'), (5)", on(5)},
      {"INSERT INTO users (id, name) VALUES (5, 'a'), (6, 'b'), (7, 'c')", on({5, 6, 7}, "split")},
      {"INSERT INTO users (id, age) VALUES (5, random()), (6, 1)", on({5, 6}, "split")},
      {"INSERT INTO users (id) VALUES (5) ON CONFLICT (id) DO NOTHING", on(5)},
      {"INSERT INTO users (id) VALUES (5) ON CONFLICT (id) DO UPDATE SET name = 'x'", on(5)},
      {"INSERT INTO defaulted (n) VALUES (1)", on(7)},
      {"INSERT INTO defaulted VALUES (DEFAULT, 1)", on(7)},
      {"INSERT INTO defaulted DEFAULT VALUES", on(7)},
      {"INSERT INTO serials VALUES (5, 1)", on(5)},
      {"INSERT INTO orders SELECT 5, 1, 2.5, name FROM countries", on(5)},
      {"INSERT INTO orders SELECT user_id, id + 1, amount, note FROM orders WHERE user_id = 5",
       on(5)},
      {"INSERT INTO users (id, age) VALUES (5, (SELECT count(*) FROM orders WHERE user_id = 5))",
       on(5)},
      {"INSERT INTO settings SELECT code, name FROM countries", kHome},
      {"INSERT INTO settings VALUES ('a', 'b')", kHome},
      {"INSERT INTO unknown_table VALUES (1)", kHome},
  });
}

TEST(Insert, RowsWithoutACertainShardAreRefused) {
  check({
      {"INSERT INTO users (name) VALUES ('x')", "23502"},
      {"INSERT INTO users VALUES (NULL)", "23502"},
      {"INSERT INTO users VALUES (DEFAULT)", "23502"},
      {"INSERT INTO users DEFAULT VALUES", "23502"},
      {"INSERT INTO users VALUES (2 + 3)", kRefused},
      {"INSERT INTO users VALUES (5.4)", kRefused},
      {"INSERT INTO users VALUES ('abc')", "22P02"},
      {"INSERT INTO users VALUES (99999999999999999999)", "22003"},
      {"INSERT INTO days VALUES (1000)", "22023"},
      {"INSERT INTO events VALUES (5)", kRefused},
      {"INSERT INTO events VALUES ('a'::char(1))", kRefused},
      {"INSERT INTO serials (id) VALUES (5)", kRefused},
      {"INSERT INTO serials VALUES (5, DEFAULT)", kRefused},
      {"INSERT INTO users VALUES (5, nextval('s'))", kRefused},
      {"INSERT INTO loose VALUES (5, 'x') ON CONFLICT DO NOTHING", kRefused},
      {"INSERT INTO loose VALUES (5, 'x')", on(5)},
      {"INSERT INTO users VALUES (5) ON CONFLICT (id) DO UPDATE SET id = 6", kRefused},
      {"INSERT INTO users (id) VALUES (5), (6), (7) RETURNING id", kRefused},
      {"INSERT INTO users (id, age) VALUES (5, my_volatile()), (6, 1), (7, 1)", kRefused},
      {"INSERT INTO orders SELECT * FROM orders", kRefused},
      {"INSERT INTO orders SELECT id, 1 FROM users", kRefused},
      {"INSERT INTO orders SELECT age, 1 FROM users WHERE id = 5", kRefused},
      {"INSERT INTO users (id, age) VALUES (5, (SELECT count(*) FROM orders))", kRefused},
      {"INSERT INTO settings SELECT name FROM users", kRefused},
      {"INSERT INTO all_users VALUES (5)", kRefused},
      {"INSERT INTO all_countries VALUES ('x')", kRefused},
  });
}

TEST(Insert, SplitKeepsEachShardsRowsInOrder) {
  const auto plan = plan_text(
      world(),
      "INSERT INTO users (id, name) VALUES (1,'a'), (2,'b,('), (3,$$c$$), (4,'d'), (5,'e'), "
      "(6,'f') ON CONFLICT DO NOTHING"
  );
  ASSERT_TRUE(plan) << to_string(plan.error());
  ASSERT_EQ(plan->kind, PlanKind::kWriteSplit);
  ASSERT_EQ(plan->split.size(), plan->shards.size());
  for (std::size_t i = 0; i < plan->split.size(); ++i) {
    EXPECT_THAT(plan->split[i], ::testing::StartsWith("INSERT INTO users (id, name) VALUES ("));
    EXPECT_THAT(plan->split[i], ::testing::EndsWith(") ON CONFLICT DO NOTHING"));
    std::size_t last = 0;
    for (int key = 1; key <= 6; ++key) {
      const auto at = plan->split[i].find(fmt::format("({},", key));
      EXPECT_EQ(at != std::string::npos, world().owner(key) == plan->shards[i]) << key;
      if (at != std::string::npos) {
        EXPECT_GT(at, last);
        last = at;
      }
    }
  }
}

TEST(Insert, SplitNeedsTypesOfParametersThatAPartLosesSight) {
  std::vector<std::int64_t> keys{1};
  while (world().owner(keys.back()) == world().owner(1)) {
    keys.push_back(keys.back() + 1);
  }
  Values typed;
  Values untyped;
  for (const std::int64_t key : {std::int64_t{1}, keys.back()}) {
    typed.add(std::to_string(key), oid::kInt8);
    untyped.add(std::to_string(key));
  }
  const char* text = "INSERT INTO users (id) VALUES ($1), ($2)";
  EXPECT_EQ(plan_text(world(), text, typed.get())->kind, PlanKind::kWriteSplit);
  EXPECT_EQ(outcome(plan_text(world(), text, untyped.get())), kRefused);
}

TEST(Writes, DistributedTablesAreWrittenWhereTheirRowsAre) {
  check({
      {"UPDATE users SET name = 'x' WHERE id = 5", on(5)},
      {"UPDATE users SET name = 'x' WHERE id IN (5, 6, 7) RETURNING *", on({5, 6, 7}, "write-all")},
      {"UPDATE users SET name = 'x'", "write-all all"},
      {"UPDATE users SET id = 5 WHERE id = 5", on(5)},
      {"UPDATE users SET id = id WHERE id = 5", on(5)},
      {"UPDATE users SET id = 6 WHERE id = 5", kRefused},
      {"UPDATE users SET id = id + 1", kRefused},
      {"UPDATE users SET (name, id) = ('x', 6) WHERE id = 5", kRefused},
      {"UPDATE users u SET name = o.note FROM orders o WHERE o.user_id = u.id AND u.id = 5", on(5)},
      {"UPDATE users u SET name = o.note FROM orders o WHERE o.user_id = u.id", kRefused},
      {"UPDATE users u SET name = c.name FROM countries c WHERE c.code = u.name", "write-all all"},
      {"UPDATE users u SET name = s.value FROM settings s WHERE s.key = u.name", kRefused},
      {"UPDATE users SET age = random()", kRefused},
      {"UPDATE users SET created = now()", "write-all all"},
      {"UPDATE users SET age = (SELECT count(*) FROM orders o WHERE o.user_id = users.id) WHERE id "
       "= 5",
       on(5)},
      {"UPDATE users SET age = (SELECT count(*) FROM orders o WHERE o.user_id = users.id)", kRefused
      },
      {"DELETE FROM users WHERE id = 5", on(5)},
      {"DELETE FROM users WHERE id = 5 OR id = 6 OR id = 7", on({5, 6, 7}, "write-all")},
      {"DELETE FROM users", "write-all all"},
      {"DELETE FROM users WHERE ctid = '(0,1)'", kRefused},
      {"DELETE FROM orders USING users WHERE users.id = orders.user_id AND users.id = 5", on(5)},
      {"DELETE FROM orders USING users WHERE users.id = orders.user_id", kRefused},
      {"DELETE FROM users WHERE CURRENT OF c", kRefused},
      {"DELETE FROM users WHERE id IS NULL", kHome},
      {"DELETE FROM settings", kHome},
      {"MERGE INTO users u USING countries c ON u.id = c.id WHEN MATCHED THEN DELETE", kRefused},
      {"MERGE INTO settings u USING countries c ON u.id = c.id WHEN MATCHED THEN DELETE", kHome},
  });
}

TEST(Writes, ReferenceTablesAreWrittenEverywhereOrNotAtAll) {
  check({
      {"INSERT INTO countries VALUES ('de', 'Germany', 1)", "copies all"},
      {"INSERT INTO countries (code) VALUES (lower('DE'))", "copies all"},
      {"INSERT INTO countries (code) VALUES (now()::text)", kRefused},
      {"INSERT INTO countries (code) VALUES (my_volatile())", kRefused},
      {"INSERT INTO countries (code) VALUES (gen_random_uuid()::text)", kRefused},
      {"INSERT INTO stamps (code) VALUES ('x')", kRefused},
      {"INSERT INTO stamps VALUES ('x', '2024-01-01')", "copies all"},
      {"INSERT INTO countries SELECT name, code, id FROM countries", "copies all"},
      {"INSERT INTO countries SELECT name, code, id FROM countries LIMIT 1", kRefused},
      {"INSERT INTO countries SELECT name FROM users WHERE id = 5", kRefused},
      {"INSERT INTO countries SELECT key FROM settings", kRefused},
      {"UPDATE countries SET name = upper(name) WHERE code = 'de'", "copies all"},
      {"UPDATE countries SET name = random()::text", kRefused},
      {"UPDATE countries SET name = s.value FROM settings s", kRefused},
      {"UPDATE countries SET name = b.name FROM countries b", kRefused},
      {"DELETE FROM countries WHERE code = 'de' RETURNING *", "copies all"},
      {"DELETE FROM countries WHERE ctid = '(0,1)'", kRefused},
      {"TRUNCATE countries", "all-shards all"},
      {"TRUNCATE settings", kHome},
      {"TRUNCATE users, settings", "all-shards all"},
      {"LOCK TABLE users", "all-shards all"},
      {"LOCK TABLE settings", kHome},
  });
}

TEST(Copy, RowsAreCopiedByTableKind) {
  check({
      {"COPY settings FROM STDIN", kHome},
      {"COPY users FROM STDIN", "copy-in all"},
      {"COPY users (name) FROM STDIN", kRefused},
      {"COPY users FROM '/tmp/x'", kRefused},
      {"COPY countries FROM STDIN WITH (FORMAT csv, HEADER)", "copy-in all"},
      {"COPY serials (id) FROM STDIN", kRefused},
      {"COPY stamps (code) FROM STDIN", kRefused},
      {"COPY users FROM STDIN WITH (FORMAT csv, FORCE_NULL (name))", kRefused},
      {"COPY users FROM STDIN WITH (ENCODING 'latin1')", kRefused},
      {"COPY users FROM STDIN WHERE id > 3", kRefused},
      {"COPY users TO STDOUT", "copy-out all"},
      {"COPY users TO STDOUT WITH (FORMAT binary)", kRefused},
      {"COPY settings TO STDOUT WITH (FORMAT binary)", kHome},
      {"COPY countries TO STDOUT", kHome},
      {"COPY (SELECT * FROM users WHERE id = 5) TO STDOUT", on(5)},
      {"COPY (SELECT id FROM users) TO STDOUT", "copy-out all"},
      {"COPY (SELECT id FROM users ORDER BY id) TO STDOUT", kRefused},
      {"COPY (SELECT count(*) FROM users) TO STDOUT", kRefused},
  });
  const auto in = plan_text(
      world(),
      "COPY users (name, id) FROM STDIN WITH (FORMAT csv, DELIMITER ';', QUOTE '''', NULL 'x', "
      "HEADER)"
  );
  ASSERT_TRUE(in) << to_string(in.error());
  EXPECT_EQ(in->copy.key_field, 1U);
  EXPECT_EQ(in->copy.field_count, 2U);
  EXPECT_EQ(in->copy.format, CopyPlan::Format::kCsv);
  EXPECT_EQ(in->copy.delimiter, ';');
  EXPECT_EQ(in->copy.quote, '\'');
  EXPECT_EQ(in->copy.escape, '\'');
  EXPECT_EQ(in->copy.null_text, "x");
  EXPECT_TRUE(in->copy.header);
  EXPECT_EQ(in->copy.key_oid, oid::kInt8);
  const auto out = plan_text(world(), "COPY users TO STDOUT CSV HEADER");
  ASSERT_TRUE(out);
  EXPECT_TRUE(out->drop_later_headers);
}

TEST(Ddl, SchemaChangesRunEverywhereUnlessTheyBreakTheCluster) {
  check({
      {"CREATE TABLE t (a int PRIMARY KEY)", "all-shards all"},
      {"CREATE TABLE t (LIKE users)", "all-shards all"},
      {"CREATE TABLE t () INHERITS (users)", kRefused},
      {"CREATE TABLE t PARTITION OF parted FOR VALUES FROM ('2024-01-01') TO ('2024-02-01')",
       kRefused},
      {"CREATE TABLE t (a bigint REFERENCES users (id))", kRefused},
      {"CREATE TABLE t (a text REFERENCES countries (code))", "all-shards all"},
      {"CREATE TABLE t AS SELECT 1", kRefused},
      {"CREATE TEMP TABLE t (a int)", kHome},
      {"CREATE TEMP TABLE users (a int)", kRefused},
      {"CREATE TEMP TABLE t AS SELECT * FROM users", kRefused},
      {"CREATE TEMP TABLE t AS SELECT * FROM settings", kHome},
      {"CREATE VIEW v AS SELECT * FROM users", "all-shards all"},
      {"CREATE TEMP VIEW v AS SELECT * FROM users", kRefused},
      {"CREATE MATERIALIZED VIEW v AS SELECT * FROM users", kRefused},
      {"CREATE MATERIALIZED VIEW v AS SELECT * FROM countries", "all-shards all"},
      {"CREATE INDEX ON users (name)", "all-shards all"},
      {"CREATE UNIQUE INDEX ON users (name)", kRefused},
      {"CREATE UNIQUE INDEX ON users (name, id)", "all-shards all"},
      {"CREATE UNIQUE INDEX ON countries (name)", "all-shards all"},
      {"CREATE INDEX CONCURRENTLY ON users (name)", "all-shards all"},
      {"ALTER TABLE users ADD UNIQUE (name)", kRefused},
      {"ALTER TABLE users ADD COLUMN x int DEFAULT 3", "all-shards all"},
      {"ALTER TABLE users ADD COLUMN x serial", kRefused},
      {"ALTER TABLE countries ADD COLUMN x timestamptz DEFAULT now()", kRefused},
      {"ALTER TABLE users DROP COLUMN id", kRefused},
      {"ALTER TABLE users DROP COLUMN name", "all-shards all"},
      {"ALTER TABLE users ALTER COLUMN id TYPE int", kRefused},
      {"ALTER TABLE users RENAME COLUMN id TO x", kRefused},
      {"ALTER TABLE users RENAME COLUMN name TO x", "all-shards all"},
      {"ALTER TABLE users RENAME TO x", kRefused},
      {"ALTER TABLE countries SET SCHEMA app", kRefused},
      {"ALTER TABLE settings RENAME TO x", "all-shards all"},
      {"ALTER TABLE users ADD FOREIGN KEY (name) REFERENCES countries (code)", "all-shards all"},
      {"ALTER TABLE users ADD FOREIGN KEY (name) REFERENCES settings (key)", kRefused},
      {"ALTER TABLE countries ADD FOREIGN KEY (name) REFERENCES settings (key)", kRefused},
      {"DROP TABLE settings", "all-shards all"},
      {"DROP SCHEMA public CASCADE", kRefused},
      {"DROP SCHEMA other", "all-shards all"},
      {"DROP OWNED BY somebody", kRefused},
      {"CREATE DATABASE x", kRefused},
      {"ALTER SYSTEM SET work_mem = '1MB'", kRefused},
      {"CREATE RULE r AS ON INSERT TO users DO NOTHING", kRefused},
      {"CREATE ROLE x", "all-shards all"},
      {"GRANT SELECT ON users TO x", "all-shards all"},
      {"VACUUM users", "all-shards all"},
      {"VACUUM", "all-shards all"},
      {"ANALYZE settings", kHome},
      {"REINDEX INDEX some_index", "all-shards all"},
  });
  EXPECT_FALSE(plan_text(world(), "CREATE INDEX CONCURRENTLY ON users (name)")->in_transaction);
  EXPECT_FALSE(plan_text(world(), "VACUUM users")->in_transaction);
  EXPECT_TRUE(plan_text(world(), "ANALYZE users")->in_transaction);
  EXPECT_TRUE(plan_text(world(), "CREATE TABLE t (a int)")->changes_schema);
  const auto dropped = plan_text(world(), "DROP TABLE users, settings, public.countries");
  ASSERT_TRUE(dropped);
  EXPECT_THAT(
      dropped->dropped_tables,
      ::testing::ElementsAre(TableName{"public", "users"}, TableName{"public", "countries"})
  );
}

TEST(Sessions, StatementsWithoutTablesStayAtHome) {
  check({
      {"BEGIN", kHome},
      {"SET work_mem = '1MB'", kHome},
      {"SHOW work_mem", kHome},
      {"PREPARE p AS SELECT 1", kHome},
      {"LISTEN x", kHome},
      {"DO $$ BEGIN END $$", kHome},
      {"CALL p()", kHome},
      {"DISCARD ALL", kHome},
      {"EXPLAIN SELECT * FROM users", kHome},
  });
}

TEST(ForcedShard, EverythingButSharedWritesGoesThere) {
  Context context = world().context();
  context.forced_shard = ShardId(3);
  const auto forced = [&](const char* text) {
    const auto parsed = parse(text);
    return outcome(make_plan(*parsed->statement, parsed->lifted.literals, {}, context));
  };
  EXPECT_EQ(forced("SELECT * FROM users"), "single 3");
  EXPECT_EQ(forced("SELECT * FROM users u, settings s"), "single 3");
  EXPECT_EQ(forced("DELETE FROM users"), "single 3");
  EXPECT_EQ(forced("INSERT INTO countries VALUES ('x')"), "copies all");
  EXPECT_EQ(forced("CREATE TABLE t (a int)"), "all-shards all");
  context.forced_shard = ShardId(9);
  EXPECT_EQ(forced("SELECT 1"), "42704");
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

TEST(Limits, EmptyClusterIsAnError) {
  topology::Snapshot empty;
  ASSERT_TRUE(empty.seal());
  const auto parsed = parse("SELECT 1");
  const auto plan =
      make_plan(*parsed->statement, parsed->lifted.literals, {}, {.topology = &empty});
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::kCannotConnectNow);
}

}  // namespace
}  // namespace sherd::plan
