#include <gtest/gtest.h>

#include <sherd/engine/mentions.hpp>
#include <sherd/sql/analyze.hpp>
#include <sherd/sql/lift.hpp>

namespace sherd::engine {
namespace {

bool mentions_t(std::string_view text) {
  sql::Lifted lifted;
  sql::lift(text, true, lifted);
  const auto analysis = sql::analyze(text, lifted.literals);
  EXPECT_TRUE(analysis) << text;
  return mentions(*analysis->statements.front(), [](const sql::Relation& relation) {
    return relation.name == "t";
  });
}

TEST(Mentions, FindsARelationInEveryRole) {
  for (const char* text :
       {"SELECT * FROM t",
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM u JOIN t ON true)",
        "WITH x AS (SELECT * FROM t) SELECT * FROM x",
        "INSERT INTO t VALUES (1)",
        "INSERT INTO u SELECT * FROM t",
        "UPDATE t SET a = 1",
        "UPDATE u SET a = 1 FROM t",
        "DELETE FROM t",
        "DELETE FROM u USING t",
        "COPY t FROM STDIN",
        "COPY (SELECT * FROM t) TO STDOUT",
        "TRUNCATE u, t",
        "LOCK TABLE t",
        "VACUUM t",
        "ALTER TABLE t ADD b int",
        "DROP TABLE t",
        "CREATE INDEX ON t (a)",
        "CREATE TABLE u (a int REFERENCES t)",
        "SELECT 1 UNION SELECT a FROM t",
        "SELECT (SELECT max(a) FROM t)"}) {
    EXPECT_TRUE(mentions_t(text)) << text;
  }
}

TEST(Mentions, NameElsewhereIsNoRelation) {
  for (const char* text :
       {"SELECT 't'", "SELECT t.a FROM u t", "SELECT 1 AS t", "UPDATE u SET t = 1"}) {
    EXPECT_FALSE(mentions_t(text)) << text;
  }
}

}  // namespace
}  // namespace sherd::engine
