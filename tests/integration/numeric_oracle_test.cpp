#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <sherd/pgtypes/numeric.hpp>

#include "pg_server.hpp"

// Sums and averages of generated numerics: cut into shards, combined here, compared with what one
// server says of all rows.

namespace sherd::pgtypes {
namespace {

using testing::PgServer;
using testing::PgSession;

class NumericOracle : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto started = PgServer::start();
    ASSERT_TRUE(started) << to_string(started.error());
    server_ = started->release();
  }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  std::vector<PgSession::Row> query(const std::string& sql) {
    if (!session_) {
      auto opened = PgSession::open(server_->connection_string());
      EXPECT_TRUE(opened);
      session_.emplace(*std::move(opened));
    }
    auto rows = session_->query(sql);
    EXPECT_TRUE(rows) << to_string(rows.error());
    return rows ? *std::move(rows) : std::vector<PgSession::Row>{};
  }

  static inline PgServer* server_ = nullptr;
  std::optional<PgSession> session_;
};

Numeric number(const std::optional<std::string>& text) {
  return *Numeric::from_text(text.value_or("NaN"));
}

// Magnitudes from 1e-12 to 1e25, scales from 0 to 30, whole groups of small values too.
constexpr std::string_view kFill =
    "SELECT setseed(0.42); CREATE TEMP TABLE t AS SELECT (i / 37)::int AS g, (random() * 5)::int "
    "AS shard,"
    " round((random() - 0.5)::numeric * (10::numeric ^ ((i / 37) % 38 - 12)), (random() * "
    "30)::int) AS n,"
    " ((random() - 0.5) * 10 ^ (random() * 18))::bigint AS b FROM generate_series(1, 60000) i";

void expect_same_sums(
    const std::vector<PgSession::Row>& partials, const std::vector<PgSession::Row>& totals
) {
  struct Total {
    Numeric sum;
    std::int64_t count = 0;
  };
  std::map<std::string, Total> groups;
  for (const auto& row : partials) {
    Total& total = groups[*row[0]];
    total.sum.add(number(row[1]));
    total.count += std::stoll(*row[2]);
  }
  ASSERT_EQ(groups.size(), totals.size());
  for (const auto& row : totals) {
    const Total& total = groups[*row[0]];
    ASSERT_EQ(total.sum.to_text(), *row[1]) << "group " << *row[0];
    const auto average = total.sum.divide(Numeric(total.count));
    ASSERT_TRUE(average);
    ASSERT_EQ(average->to_text(), *row[2])
        << "group " << *row[0] << ": " << *row[1] << " / " << total.count;
  }
}

TEST_F(NumericOracle, AverageOfNumericsHasTheServersDigits) {
  query(std::string(kFill));
  expect_same_sums(
      query("SELECT g, sum(n), count(n) FROM t GROUP BY g, shard"),
      query("SELECT g, sum(n), avg(n) FROM t GROUP BY g")
  );
}

TEST_F(NumericOracle, AverageOfIntegersHasTheServersDigits) {
  query(std::string(kFill));
  expect_same_sums(
      query("SELECT g, sum(b), count(b) FROM t GROUP BY g, shard"),
      query("SELECT g, sum(b), avg(b) FROM t GROUP BY g")
  );
  expect_same_sums(
      query("SELECT g, sum(b::int4 % 1000), count(b) FROM (SELECT g, shard, b % 100000 AS b FROM "
            "t) s GROUP BY g, shard"),
      query("SELECT g, sum(b::int4 % 1000), avg(b::int4 % 1000) FROM (SELECT g, b % 100000 AS b "
            "FROM t) s GROUP BY g")
  );
}

TEST_F(NumericOracle, QuotientsAndOrderAreTheServers) {
  query(std::string(kFill));
  const auto rows = query(
      "SELECT a.n, b.n, CASE WHEN b.n <> 0 THEN a.n / b.n END, a.n + b.n,"
      " CASE WHEN a.n < b.n THEN -1 WHEN a.n > b.n THEN 1 ELSE 0 END"
      " FROM (SELECT n, row_number() OVER () AS i FROM t) a JOIN (SELECT n, row_number() OVER "
      "(ORDER BY random()) AS i"
      " FROM t) b USING (i) LIMIT 20000"
  );
  ASSERT_EQ(rows.size(), 20'000U);
  for (const auto& row : rows) {
    const Numeric a = number(row[0]);
    const Numeric b = number(row[1]);
    if (row[2]) {
      const auto quotient = a.divide(b);
      ASSERT_TRUE(quotient);
      ASSERT_EQ(quotient->to_text(), *row[2]) << *row[0] << " / " << *row[1];
    }
    Numeric sum = a;
    sum.add(b);
    ASSERT_EQ(sum.to_text(), *row[3]) << *row[0] << " + " << *row[1];
    ASSERT_EQ(a.compare(b) <=> 0, std::stoi(*row[4]) <=> 0) << *row[0] << " <=> " << *row[1];
  }
}

}  // namespace
}  // namespace sherd::pgtypes
