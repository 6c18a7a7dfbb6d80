#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "test_cases.hpp"

namespace sherd::plan {
namespace {

using namespace testing;

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
      {"DROP VIEW all_users", "all-shards all"},
      {"CREATE OR REPLACE VIEW public.all_users AS SELECT id FROM users", "all-shards all"},
      {"ALTER VIEW all_users RENAME TO every_user", "all-shards all"},
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

}  // namespace
}  // namespace sherd::plan
