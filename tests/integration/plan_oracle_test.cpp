#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <map>
#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <libpq-fe.h>

#include <sherd/merge/merger.hpp>
#include <sherd/plan/plan.hpp>

#include "../../src/plan/test_world.hpp"
#include "pg_server.hpp"

// The server is the oracle: generated statements run on one database that holds everything, and as
// planned on four that hold a shard each. Answers, and what writes leave behind, must be equal.
// What is refused is only counted.

namespace sherd::plan {
namespace {

using sherd::testing::PgServer;
using sherd::testing::PgSession;
using testing::parse;
using testing::plan_text;
using testing::World;

using Rows = std::vector<std::vector<std::optional<std::string>>>;

struct Answer {
  std::string error{};
  std::vector<std::string> names{};
  std::vector<merge::ShardColumn> columns{};
  Rows rows{};
};

Answer run(const PgSession& session, const std::string& text) {
  Answer answer;
  const std::unique_ptr<PGresult, void (*)(PGresult*)> result(
      PQexec(session.raw(), text.c_str()), PQclear
  );
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
    answer.error = PQresultErrorMessage(result.get());
    return answer;
  }
  for (int c = 0; c < PQnfields(result.get()); ++c) {
    answer.names.emplace_back(PQfname(result.get(), c));
    answer.columns.push_back(
        {.name = answer.names.back(),
         .type = PQftype(result.get(), c),
         .typmod = PQfmod(result.get(), c)}
    );
  }
  for (int r = 0; r < PQntuples(result.get()); ++r) {
    auto& row = answer.rows.emplace_back();
    for (int c = 0; c < PQnfields(result.get()); ++c) {
      row.push_back(
          PQgetisnull(result.get(), r, c)
              ? std::nullopt
              : std::optional<std::string>(PQgetvalue(result.get(), r, c))
      );
    }
  }
  return answer;
}

std::string data_row(const std::vector<std::optional<std::string>>& row) {
  std::string body;
  append_be(body, static_cast<std::int16_t>(row.size()));
  for (const auto& field : row) {
    append_be(body, field ? static_cast<std::int32_t>(field->size()) : -1);
    body += field.value_or("");
  }
  return body;
}

Rows rows_of(const std::string& messages) {
  Rows rows;
  ByteReader reader(as_bytes(messages));
  while (reader.ok() && reader.remaining() > 0) {
    static_cast<void>(reader.read_bytes(5));
    auto& row = rows.emplace_back();
    for (int left = reader.read<std::int16_t>(); left > 0; --left) {
      const auto size = reader.read<std::int32_t>();
      row.push_back(
          size < 0
              ? std::nullopt
              : std::optional(std::string(as_text(reader.read_bytes(static_cast<std::size_t>(size)))
                ))
      );
    }
  }
  return rows;
}

/// As the router would: each shard's rows through the merge engine.
Answer merged(const Plan& plan, const std::vector<Answer>& parts) {
  pgtypes::CollationSet collations;
  collations.add({.name = "default", .locale = "C"});
  merge::MergeOptions options;
  options.collations = &collations;
  auto merger = merge::Merger::create(plan.recipe, parts.front().columns, parts.size(), options);
  Answer answer;
  if (!merger) {
    answer.error = to_string(merger.error());
    return answer;
  }
  std::string out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    for (const auto& row : parts[i].rows) {
      const std::string body = data_row(row);
      if (const auto pushed = (*merger)->push(i, as_bytes(body)); !pushed) {
        answer.error = to_string(pushed.error());
      }
    }
    if (const auto finished = (*merger)->finish(i); !finished) {
      answer.error = to_string(finished.error());
    }
  }
  while (answer.error.empty() && !(*merger)->done()) {
    if (const auto drained = (*merger)->drain(out); !drained) {
      answer.error = to_string(drained.error());
    }
  }
  answer.rows = rows_of(out);
  for (const merge::OutputColumn& column : (*merger)->outputs()) {
    answer.names.push_back(column.name);
  }
  return answer;
}

/// Five databases on one server: everything, and each shard's part.
class Cluster {
 public:
  Cluster() {
    auto server = PgServer::start({.config = {"lc_messages = 'C'"}});
    SHERD_CHECK(server.has_value());
    server_ = std::move(*server);
    auto admin = PgSession::open(server_->connection_string());
    SHERD_CHECK(admin.has_value());
    for (std::uint32_t i = 0; i <= testing::kShards; ++i) {
      const std::string name = "d" + std::to_string(i);
      SHERD_CHECK(
          admin
              ->query("CREATE DATABASE " + name + " TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
              .has_value()
      );
      auto session = PgSession::open(server_->connection_string(name));
      SHERD_CHECK(session.has_value());
      sessions_.push_back(std::move(*session));
      must(i, kTables);
    }
    fill();
  }

  [[nodiscard]] const World& world() const { return world_; }
  Answer whole(const std::string& text) { return run(sessions_[0], text); }
  Answer on(ShardId shard, const std::string& text) {
    return run(sessions_[index_of(shard)], text);
  }
  void on_all(const std::string& text) {
    for (std::uint32_t i = 0; i < sessions_.size(); ++i) {
      must(i, text);
    }
  }

 private:
  static constexpr const char* kTables =
      "CREATE TABLE users (id bigint PRIMARY KEY, name text, age int, score real, balance numeric, "
      "created timestamptz);"
      "CREATE TABLE orders (user_id bigint, id bigint, amount numeric, note text, PRIMARY KEY "
      "(user_id, id));"
      "CREATE TABLE items (user_id int, n int, PRIMARY KEY (user_id, n));"
      "CREATE TABLE countries (code text PRIMARY KEY, name text, id bigint);";

  void must(std::uint32_t database, const std::string& text) {
    const Answer answer = run(sessions_[database], text);
    if (!answer.error.empty()) {
      std::cerr << text << ": " << answer.error;
    }
    SHERD_CHECK(answer.error.empty());
  }
  void add(std::int64_t key, const std::string& text) {
    must(0, text);
    must(index_of(world_.owner(key)), text);
  }
  void fill() {
    std::mt19937_64 random(7);
    const auto maybe = [&](std::int64_t v) {
      return random() % 4 == 0 ? std::string("NULL") : std::to_string(v);
    };
    for (std::int64_t key = 0; key < 12; ++key) {
      if (key % 5 != 4) {
        add(key, fmt::format(
                     "INSERT INTO users VALUES ({0}, 'n{1}', {2}, {3}, {4} + 0.50, '2024-01-0{5}')",
                     key, key % 3, maybe(key % 7), maybe(key % 3), maybe(key * 3), key % 9 + 1
                 ));
      }
      for (std::int64_t i = 0; i < static_cast<std::int64_t>(random() % 4); ++i) {
        add(key, fmt::format(
                     "INSERT INTO orders VALUES ({}, {}, {} + 0.25, 'o{}')", key,
                     (key + i * 5) % 12, maybe(i), i
                 ));
      }
      for (std::int64_t i = 0; i < static_cast<std::int64_t>(random() % 3); ++i) {
        add(key, fmt::format("INSERT INTO items VALUES ({}, {})", key, (key + i) % 6));
      }
    }
    for (int i = 0; i < 5; ++i) {
      on_all(fmt::format("INSERT INTO countries VALUES ('n{}', 'c{}', {})", i, i % 2, i * 2));
    }
  }

  std::unique_ptr<PgServer> server_;
  std::vector<PgSession> sessions_{};
  World world_{};
};

/// Statements over a few tables, with small values so that rows meet.
class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}

  std::string select() {
    depth_ = 2;
    std::string with;
    if (below(8) == 0) {
      with = fmt::format("WITH q AS ({}) ", plain("x"));
      cte_ = true;
    }
    std::string text = with + body();
    cte_ = false;
    return text;
  }

  std::string write() {
    depth_ = 1;
    const std::string table = below(2) == 0 ? "users" : "orders";
    const std::string key = table == "users" ? "id" : "user_id";
    scope_ = {{.name = "t", .columns = columns_of(table)}};
    const std::string where = below(5) == 0 ? "" : " WHERE " + condition(2);
    const std::string returning = below(2) == 0 ? "" : " RETURNING t." + key;
    if (below(2) == 0) {
      return fmt::format("DELETE FROM {} t{}{}", table, where, returning);
    }
    const std::string set =
        table == "users" ? "age = coalesce(t.age, 0) + 1" : "note = upper(t.note)";
    return fmt::format("UPDATE {} t SET {}{}{}", table, set, where, returning);
  }

 private:
  struct Table {
    std::string name;
    std::vector<std::string> columns;  // of integers
  };

  int below(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
  template <class T>
  const T& any(const std::vector<T>& items) {
    return items[random_() % items.size()];
  }
  std::string value() { return std::to_string(below(12)); }

  static std::vector<std::string> columns_of(const std::string& table) {
    if (table == "users") {
      return {"id", "id", "id", "age"};
    }
    if (table == "orders") {
      return {"user_id", "user_id", "user_id", "id"};
    }
    if (table == "items") {
      return {"user_id", "user_id", "n"};
    }
    return {"id"};
  }
  std::string table() {
    return any(std::vector<std::string>{"users", "users", "orders", "orders", "items", "countries"}
    );
  }
  std::string column() {
    const Table& t = any(scope_);
    return t.name + "." + any(t.columns);
  }
  std::string name() { return fmt::format("t{}", ++names_); }

  /// A subquery with output columns `column` (an integer) and y.
  std::string plain(const std::string& column_name) {
    const auto outer = scope_;
    const std::string t = name();
    const std::string from = table();
    scope_ = {{.name = t, .columns = columns_of(from)}};
    const std::string key = t + "." + columns_of(from).front();
    std::string text =
        fmt::format("SELECT {} AS {}, {} AS y FROM {} {}", key, column_name, column(), from, t);
    text += below(2) == 0 ? " WHERE " + condition(1) : "";
    switch (below(7)) {
      case 0:
        text += fmt::format(" ORDER BY 2 DESC NULLS LAST, 1, {}.ctid LIMIT {}", t, 1 + below(3));
        break;
      case 1:
        text = fmt::format(
            "SELECT {0} AS {1}, count(*) AS y FROM {2} {3} GROUP BY {0}", key, column_name, from, t
        );
        break;
      case 2:
        text = fmt::format(
            "SELECT max({}) AS {}, count(*) AS y FROM {} {}", key, column_name, from, t
        );
        break;
      case 3:
        text = fmt::format("{} UNION ALL SELECT id, id FROM countries", text);
        break;
      case 4:
        text = fmt::format("SELECT DISTINCT * FROM ({}) d", text);
        break;
      default:
        break;
    }
    if (text.find(".ctid") != std::string::npos) {
      text = text.substr(0, text.find(", " + t + ".ctid")) + text.substr(text.find(" LIMIT"));
    }
    scope_ = outer;
    return text;
  }

  std::string from_item(std::vector<Table>& visible) {
    const std::string t = name();
    const int pick = depth_ > 0 ? below(9) : 8;
    if (pick == 0) {
      --depth_;
      std::string text = fmt::format("({}) {}", plain("x"), t);
      ++depth_;
      visible.push_back({.name = t, .columns = {"x", "y"}});
      return text;
    }
    if (pick == 1) {
      visible.push_back({.name = t, .columns = {"x"}});
      return fmt::format("(VALUES ({}), ({})) {} (x)", value(), value(), t);
    }
    if (cte_ && pick == 2) {
      visible.push_back({.name = t, .columns = {"x", "y"}});
      return "q " + t;
    }
    const std::string from = table();
    visible.push_back({.name = t, .columns = columns_of(from)});
    return from + " " + t;
  }

  std::string on(const std::vector<Table>& left, const std::vector<Table>& right) {
    const auto side = [&](const std::vector<Table>& tables) {
      const Table& t = any(tables);
      return t.name + "." + (below(5) == 0 ? any(t.columns) : t.columns.front());
    };
    std::string text = fmt::format("{} = {}", side(left), side(right));
    if (below(4) == 0) {
      const auto outer = scope_;
      scope_ = left;
      scope_.insert(scope_.end(), right.begin(), right.end());
      text += " AND " + condition(0);
      scope_ = outer;
    }
    return text;
  }

  std::string joined(std::vector<Table>& visible) {
    std::vector<Table> left;
    std::string text = from_item(left);
    for (int joins = below(3); joins > 0; --joins) {
      std::vector<Table> right;
      std::string other = from_item(right);
      if (below(6) == 0) {
        std::vector<Table> more;
        const std::string third = from_item(more);
        other = fmt::format("({} {} {} ON {})", other, any(kJoins), third, on(right, more));
        right.insert(right.end(), more.begin(), more.end());
      }
      text += fmt::format(" {} {} ON {}", any(kJoins), other, on(left, right));
      left.insert(left.end(), right.begin(), right.end());
    }
    visible.insert(visible.end(), left.begin(), left.end());
    return text;
  }

  std::string condition(int depth) {
    switch (below(depth > 0 ? 13 : 7)) {
      case 0:
        return fmt::format("{} IN ({}, {})", column(), value(), value());
      case 1:
        return fmt::format("{} IS NULL", column());
      case 2:
        return fmt::format("{} = {}", column(), column());
      case 3:
        return fmt::format("{} < {}", column(), value());
      case 7:
        return fmt::format("({} AND {})", condition(depth - 1), condition(depth - 1));
      case 8:
        return fmt::format("({} OR {})", condition(depth - 1), condition(depth - 1));
      case 9:
        return fmt::format("NOT ({})", condition(depth - 1));
      case 10:
        return exists();
      case 11: {
        if (depth_ <= 0) {
          return "true";
        }
        --depth_;
        std::string text = fmt::format(
            "{} {} (SELECT x FROM ({}) s)", column(), below(3) == 0 ? "NOT IN" : "IN", plain("x")
        );
        ++depth_;
        return text;
      }
      case 12:
        return fmt::format(
            "{} = {} AND {}", scope_.front().name + "." + scope_.front().columns.front(), value(),
            condition(depth - 1)
        );
      default:
        return fmt::format("{} = {}", column(), value());
    }
  }

  std::string exists() {
    if (depth_ <= 0) {
      return "true";
    }
    --depth_;
    const auto outer = scope_;
    const std::string link = column();
    const std::string t = name();
    const std::string from = table();
    scope_.push_back({.name = t, .columns = columns_of(from)});
    std::string text = fmt::format(
        "{}EXISTS (SELECT 1 FROM {} {} WHERE {}.{} = {} AND {})", below(3) == 0 ? "NOT " : "", from,
        t, t, columns_of(from).front(), link, condition(1)
    );
    scope_ = outer;
    ++depth_;
    return text;
  }

  std::string body() {
    scope_.clear();
    std::vector<Table> visible;
    std::string from = joined(visible);
    if (below(5) == 0) {
      from += ", " + joined(visible);
    }
    scope_ = visible;
    const std::string where = below(4) == 0 ? "" : " WHERE " + condition(2);
    const std::string a = column();
    const std::string b = column();
    const std::string tail = fmt::format(" FROM {}{}", from, where);
    switch (below(9)) {
      case 0:
        return fmt::format("SELECT count(*), sum({}), min({}), avg({}){}", a, b, a, tail);
      case 1:
        return fmt::format(
            "SELECT {0}, count(*), count({1}) AS c, avg({1}){2} GROUP BY {0}{3}", a, b, tail,
            below(2) == 0 ? " ORDER BY 2 DESC, 1 NULLS FIRST LIMIT 3" : ""
        );
      case 2:
        return fmt::format("SELECT DISTINCT {}, {}{} ORDER BY 2 DESC, 1", a, b, tail);
      case 3:
        return fmt::format(
            "SELECT {}, {}{} ORDER BY 2, 1 DESC LIMIT {} OFFSET {}", a, b, tail, below(5), below(3)
        );
      case 4:
        return fmt::format(
            "SELECT sum({}) FILTER (WHERE {} > 3) AS s, bool_or({} = 2){} GROUP BY {}", a, b, b,
            tail, a
        );
      case 5:
        return fmt::format("SELECT {0}{1} GROUP BY {0} HAVING count(*) > 1 ORDER BY {0}", a, tail);
      case 6:
        return fmt::format("SELECT {} AS k{} ORDER BY {} + 1, k", a, tail, b);
      default:
        return fmt::format("SELECT {}, {}{}", a, b, tail);
    }
  }

  inline static const std::vector<std::string> kJoins = {
      "JOIN", "JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"
  };
  std::mt19937_64 random_;
  std::vector<Table> scope_{};
  int names_ = 0;
  int depth_ = 0;
  bool cte_ = false;
};

/// Another seed for a longer search: SHERD_ORACLE_SEED.
std::uint64_t seed(std::uint64_t usual) {
  const char* const given = std::getenv("SHERD_ORACLE_SEED");
  const std::uint64_t chosen = given != nullptr ? std::strtoull(given, nullptr, 10) : usual;
  std::cout << "seed " << chosen << "\n";
  return chosen;
}

Cluster& cluster() {
  static Cluster kCluster;
  return kCluster;
}

Rows sorted(Rows rows) {
  std::ranges::sort(rows);
  return rows;
}

/// ORDER BY of these statements covers all columns that are seen, or the rows are compared as a
/// set.
bool is_ordered(const std::string& text) {
  return text.find(" LIMIT ") != std::string::npos || text.find("SELECT DISTINCT t") == 0;
}

/// Rows that LIMIT leaves to chance: equal in everything that they are ordered by is equal in
/// everything that is seen.
void expect_equal(
    const std::string& text, const Answer& expected, const Answer& actual, const Plan& plan
) {
  const std::string where =
      fmt::format("{}\n  planned: {}\n  shards get: {}", text, plan.reason, plan.shard_sql);
  ASSERT_EQ(actual.error, "") << where;
  ASSERT_EQ(actual.names, expected.names) << where;
  const bool top =
      text.find("SELECT") == 0 && is_ordered(text) && text.rfind(" LIMIT ") > text.rfind(')') + 1;
  if (top) {
    ASSERT_EQ(actual.rows, expected.rows) << where;
  } else {
    ASSERT_EQ(sorted(actual.rows), sorted(expected.rows)) << where;
  }
}

Answer execute(const Plan& plan, const std::string& text) {
  const std::string& sent = plan.shard_sql.empty() ? text : plan.shard_sql;
  std::vector<Answer> parts;
  for (const ShardId shard : plan.shards) {
    parts.push_back(cluster().on(shard, sent));
    if (!parts.back().error.empty()) {
      return parts.back();
    }
  }
  if (plan.kind == PlanKind::kMerge) {
    return merged(plan, parts);
  }
  Answer all = parts.front();
  for (std::size_t i = 1; i < parts.size(); ++i) {
    all.rows.insert(all.rows.end(), parts[i].rows.begin(), parts[i].rows.end());
  }
  return all;
}

TEST(PlanOracle, GeneratedSelectsAnswerAsOneServerDoes) {
  Generator generator(seed(42));
  std::map<std::string, int> counts;
  constexpr int kStatements = 12000;
  for (int i = 0; i < kStatements; ++i) {
    const std::string text = generator.select();
    const auto plan = plan_text(cluster().world(), text);
    if (!plan) {
      ++counts["refused"];
      continue;
    }
    const Answer expected = cluster().whole(text);
    if (!expected.error.empty()) {
      ++counts["invalid"];
      continue;
    }
    ++counts[plan->kind == PlanKind::kMerge ? "merged" : "single"];
    expect_equal(text, expected, execute(*plan, text), *plan);
    if (::testing::Test::HasFatalFailure()) {
      return;
    }
  }
  for (const auto& [what, count] : counts) {
    std::cout << what << ": " << count << "\n";
  }
  EXPECT_GT(counts["merged"], kStatements / 20);
  EXPECT_GT(counts["single"], kStatements / 20);
}

Rows contents(const std::vector<ShardId>& shards, const std::string& table) {
  Rows rows;
  const std::string text = "SELECT * FROM " + table;
  for (const ShardId shard : shards) {
    const Rows part = cluster().on(shard, text).rows;
    rows.insert(rows.end(), part.begin(), part.end());
  }
  return sorted(std::move(rows));
}

TEST(PlanOracle, GeneratedWritesLeaveWhatOneServerLeaves) {
  Generator generator(seed(43));
  std::vector<ShardId> shards;
  for (std::uint32_t i = 1; i <= testing::kShards; ++i) {
    shards.push_back(ShardId(i));
  }
  int written = 0;
  constexpr int kStatements = 2000;
  for (int i = 0; i < kStatements; ++i) {
    const std::string text = generator.write();
    const auto plan = plan_text(cluster().world(), text);
    if (!plan) {
      continue;
    }
    cluster().on_all("BEGIN");
    const Answer expected = cluster().whole(text);
    if (expected.error.empty()) {
      ++written;
      expect_equal(text, expected, execute(*plan, text), *plan);
      for (const char* table : {"users", "orders"}) {
        EXPECT_EQ(
            contents(shards, table),
            sorted(cluster().whole(std::string("SELECT * FROM ") + table).rows)
        ) << text;
      }
    }
    cluster().on_all("ROLLBACK");
    if (::testing::Test::HasFailure()) {
      return;
    }
  }
  std::cout << "written: " << written << " of " << kStatements << "\n";
  EXPECT_GT(written, kStatements / 4);
}

}  // namespace
}  // namespace sherd::plan
