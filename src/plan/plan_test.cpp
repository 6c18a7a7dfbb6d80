#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "test_cases.hpp"

namespace sherd::plan {
namespace {

using namespace testing;

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
      {"SELECT * FROM users u LEFT JOIN orders o ON o.id = u.age WHERE u.id = 5 AND (o.user_id IS "
       "NULL OR o.user_id = 5)",
       kRefused},
      {"SELECT * FROM users u JOIN (countries a FULL JOIN countries b ON a.id = b.id) ON u.name = "
       "a.code",
       "merge all"},
      {"SELECT * FROM users u JOIN orders o ON o.user_id = u.id FULL JOIN countries c ON c.id = "
       "u.id",
       kRefused},
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

TEST(Limits, EmptyClusterIsAnError) {
  topology::Snapshot empty;
  ASSERT_TRUE(empty.seal());
  const auto parsed = parse("SELECT 1");
  const auto plan =
      make_plan(*parsed->statement, parsed->lifted.literals, {}, {.topology = &empty});
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::kCannotConnectNow);
}

// Each of these would never end if a level were looked at again by every level around it.
TEST(Limits, DeepAndWideStatementsArePlannedInTheirStride) {
  std::string nested = "SELECT id FROM users";
  for (int i = 0; i < 150; ++i) {
    nested = fmt::format("SELECT id FROM ({}) s{} WHERE s{}.id = 5", nested, i, i);
  }
  EXPECT_EQ(outcome(plan_text(world(), nested)), on(5));
  std::string joined = "SELECT 1 FROM users u0";
  for (int i = 1; i < 120; ++i) {
    joined += fmt::format(" JOIN users u{} ON u{}.id = u{}.id", i, i, i - 1);
  }
  EXPECT_EQ(outcome(plan_text(world(), joined + " WHERE u7.id = 5")), on(5));
  // Beyond the limit of facts it is less confined, never wrong.
  for (int i = 120; i < 300; ++i) {
    joined += fmt::format(" JOIN users u{} ON u{}.id = u{}.id", i, i, i - 1);
  }
  EXPECT_EQ(outcome(plan_text(world(), joined + " WHERE u7.id = 5")), kRefused);
}

}  // namespace
}  // namespace sherd::plan
