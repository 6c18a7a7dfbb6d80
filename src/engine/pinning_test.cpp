#include <gtest/gtest.h>

#include <sherd/engine/pinning.hpp>
#include <sherd/sql/analyze.hpp>

namespace sherd::engine {
namespace {

bool pins(std::string_view text) {
  const auto analysis = sql::analyze(text, {});
  EXPECT_TRUE(analysis) << text << ": " << to_string(analysis.error());
  return analysis && needs_pin(*analysis->statements.front());
}

TEST(Pinning, StateOfOneConnectionPins) {
  for (const char* text : {
           "CREATE TEMP TABLE a (b int)",
           "CREATE TEMPORARY TABLE a AS SELECT 1",
           "SELECT 1 AS x INTO TEMP a",
           "CREATE TEMP VIEW v AS SELECT 1",
           "CREATE TEMP SEQUENCE s",
           "SELECT pg_advisory_lock(1)",
           "SELECT pg_catalog.pg_try_advisory_lock(1)",
           "SELECT 1 WHERE pg_try_advisory_lock(1)",
           "SELECT * FROM (SELECT pg_advisory_unlock(1)) x",
           "SELECT * FROM set_config('a.b', 'c', false)",
           "WITH x AS (SELECT setseed(0.5)) SELECT * FROM x",
           "SELECT currval('s')",
           "SELECT a FROM t ORDER BY currval('s')",
       }) {
    EXPECT_TRUE(pins(text)) << text;
  }
}

TEST(Pinning, WhatEndsWithItsStatementOrTransactionDoesNot) {
  for (const char* text : {
           "SELECT 1",
           "CREATE TABLE a (b int)",
           "SELECT 1 AS x INTO a",
           "SELECT pg_advisory_xact_lock(1)",
           "SELECT 'pg_advisory_lock(1)'",
           "SELECT pg_advisory_lock FROM t",
           "INSERT INTO t VALUES (now())",
       }) {
    EXPECT_FALSE(pins(text)) << text;
  }
}

}  // namespace
}  // namespace sherd::engine
