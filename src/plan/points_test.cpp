#include <iostream>
#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "test_world.hpp"

// Property: whatever the predicate, the shard of each row that it is true for is among the plan's
// shards.

namespace sherd::plan {
namespace {

using testing::plan_text;
using testing::Values;
using testing::World;

struct Row {
  std::int64_t key;
  std::optional<std::int64_t> age;
};

enum class Truth : std::uint8_t { kFalse, kNull, kTrue };

Truth of(bool b) {
  return b ? Truth::kTrue : Truth::kFalse;
}
Truth negated(Truth t) {
  return t == Truth::kNull ? t : of(t == Truth::kFalse);
}

/// A term: a column, or a constant that may be NULL.
struct Term {
  enum class Kind : std::uint8_t { kKey, kAge, kConstant, kSum } kind = Kind::kConstant;
  std::optional<std::int64_t> value{};
  std::string sql{};

  [[nodiscard]] std::optional<std::int64_t> of_row(const Row& row) const {
    switch (kind) {
      case Kind::kKey:
        return row.key;
      case Kind::kAge:
        return row.age;
      case Kind::kSum:
        return row.key + 1;
      case Kind::kConstant:
        return value;
    }
    return value;
  }
};

struct Node {
  enum class Kind : std::uint8_t {
    kAnd,
    kOr,
    kNot,
    kCompare,
    kIn,
    kBetween,
    kIsNull,
    kNotDistinct,
    kTrue,
    kFalse
  };
  Kind kind = Kind::kTrue;
  int op = 0;  // 0 =, 1 <, 2 <=, 3 >, 4 >=, 5 <>
  std::vector<Node> children{};
  std::vector<Term> terms{};
};

Truth compare(int op, std::optional<std::int64_t> a, std::optional<std::int64_t> b) {
  if (!a || !b) {
    return Truth::kNull;
  }
  switch (op) {
    case 0:
      return of(*a == *b);
    case 1:
      return of(*a < *b);
    case 2:
      return of(*a <= *b);
    case 3:
      return of(*a > *b);
    case 4:
      return of(*a >= *b);
    default:
      return of(*a != *b);
  }
}

Truth all_of(Truth a, Truth b) {
  return std::min(a, b);
}
Truth any_of(Truth a, Truth b) {
  return std::max(a, b);
}

Truth evaluate(const Node& node, const Row& row) {
  const auto term = [&](std::size_t i) { return node.terms[i].of_row(row); };
  switch (node.kind) {
    case Node::Kind::kAnd: {
      Truth t = Truth::kTrue;
      for (const Node& child : node.children) {
        t = all_of(t, evaluate(child, row));
      }
      return t;
    }
    case Node::Kind::kOr: {
      Truth t = Truth::kFalse;
      for (const Node& child : node.children) {
        t = any_of(t, evaluate(child, row));
      }
      return t;
    }
    case Node::Kind::kNot:
      return negated(evaluate(node.children[0], row));
    case Node::Kind::kCompare:
      return compare(node.op, term(0), term(1));
    case Node::Kind::kIn: {
      Truth t = Truth::kFalse;
      for (std::size_t i = 1; i < node.terms.size(); ++i) {
        t = any_of(t, compare(0, term(0), term(i)));
      }
      return t;
    }
    case Node::Kind::kBetween:
      return all_of(compare(4, term(0), term(1)), compare(2, term(0), term(2)));
    case Node::Kind::kIsNull:
      return of(!term(0));
    case Node::Kind::kNotDistinct:
      return of(term(0) == term(1));
    case Node::Kind::kTrue:
      return Truth::kTrue;
    case Node::Kind::kFalse:
      return Truth::kFalse;
  }
  return Truth::kNull;
}

std::string print(const Node& node) {
  constexpr const char* kOps[] = {"=", "<", "<=", ">", ">=", "<>"};
  const auto term = [&](std::size_t i) { return node.terms[i].sql; };
  const auto join = [&](const char* word) {
    std::string text;
    for (const Node& child : node.children) {
      text += (text.empty() ? "" : fmt::format(" {} ", word)) + print(child);
    }
    return "(" + text + ")";
  };
  switch (node.kind) {
    case Node::Kind::kAnd:
      return join("AND");
    case Node::Kind::kOr:
      return join("OR");
    case Node::Kind::kNot:
      return "NOT " + print(node.children[0]);
    case Node::Kind::kCompare:
      return fmt::format("({} {} {})", term(0), kOps[node.op], term(1));
    case Node::Kind::kIn: {
      std::string list;
      for (std::size_t i = 1; i < node.terms.size(); ++i) {
        list += (list.empty() ? "" : ", ") + term(i);
      }
      return node.op == 0 ? fmt::format("({} IN ({}))", term(0), list)
                          : fmt::format("({} = ANY (ARRAY[{}]::bigint[]))", term(0), list);
    }
    case Node::Kind::kBetween:
      return fmt::format("({} BETWEEN {} AND {})", term(0), term(1), term(2));
    case Node::Kind::kIsNull:
      return fmt::format("({} IS NULL)", term(0));
    case Node::Kind::kNotDistinct:
      return fmt::format("({} IS NOT DISTINCT FROM {})", term(0), term(1));
    case Node::Kind::kTrue:
      return "true";
    case Node::Kind::kFalse:
      return "false";
  }
  return "";
}

class Generator {
 public:
  Generator(std::uint64_t seed, std::string key, std::string other, std::int64_t step)
      : random_(seed), key_(std::move(key)), other_(std::move(other)), step_(step) {}

  Node node(int depth) {
    const int pick = below(depth > 0 ? 14 : 9);
    switch (pick) {
      case 9:
      case 10:
        return many(Node::Kind::kAnd, depth);
      case 11:
      case 12:
        return many(Node::Kind::kOr, depth);
      case 13:
        return {.kind = Node::Kind::kNot, .children = {node(depth - 1)}};
      case 8:
        return {.kind = below(2) == 0 ? Node::Kind::kTrue : Node::Kind::kFalse};
      case 7:
        return {.kind = Node::Kind::kNotDistinct, .terms = {term(), constant()}};
      case 6:
        return {.kind = Node::Kind::kIsNull, .terms = {column()}};
      case 5:
        return {.kind = Node::Kind::kBetween, .terms = {column(), constant(), constant()}};
      case 4:
        return in_list();
      default:
        break;
    }
    Node made{
        .kind = Node::Kind::kCompare,
        .op = below(3) != 0 ? 0 : below(6),
        .terms = {column(), term()}
    };
    if (below(3) == 0) {
      std::swap(made.terms[0], made.terms[1]);
    }
    return made;
  }
  Row row() {
    return {.key = value(), .age = below(5) == 0 ? std::nullopt : std::optional(value())};
  }
  Values& values() { return values_; }
  void forget() {
    values_ = Values();
    parameters_ = 0;
  }

 private:
  int below(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
  std::int64_t value() { return (below(12) - 2) * step_; }

  Node many(Node::Kind kind, int depth) {
    Node made{.kind = kind};
    for (int i = 2 + below(2); i > 0; --i) {
      made.children.push_back(node(depth - 1));
    }
    return made;
  }
  Node in_list() {
    Node made{.kind = Node::Kind::kIn, .op = below(2), .terms = {column()}};
    for (int i = 1 + below(3); i > 0; --i) {
      made.terms.push_back(constant());
    }
    return made;
  }
  Term column() {
    switch (below(8)) {
      case 0:
      case 1:
        return {.kind = Term::Kind::kAge, .sql = other_};
      case 2:
        return {.kind = Term::Kind::kSum, .sql = key_ + " + 1"};
      default:
        return {.kind = Term::Kind::kKey, .sql = key_};
    }
  }
  Term term() { return below(6) == 0 ? column() : constant(); }
  Term constant() {
    if (below(10) == 0) {
      return {.sql = "NULL"};
    }
    const std::int64_t v = value();
    switch (below(7)) {
      case 0:
        return {.value = v, .sql = fmt::format("'{}'", v)};
      case 1:
        return {.value = v, .sql = fmt::format("'{}'::bigint", v)};
      case 2:
        return {.value = v, .sql = fmt::format("{}.0", v)};
      case 3:
        return {.value = v, .sql = parameter(v)};
      default:
        return {.value = v, .sql = std::to_string(v)};
    }
  }
  std::string parameter(std::int64_t v) {
    const bool binary = below(2) == 0;
    std::string bytes;
    if (binary) {
      append_be(bytes, v);
    } else {
      bytes = std::to_string(v);
    }
    values_.add(bytes, below(2) == 0 || binary ? oid::kInt8 : 0, binary ? 1 : 0);
    return fmt::format("${}", ++parameters_);
  }

  std::mt19937_64 random_;
  std::string key_;
  std::string other_;
  std::int64_t step_;
  Values values_{};
  int parameters_ = 0;
};

struct Shape {
  std::string table;
  std::string key;
  std::string other;
  std::uint32_t group;
  std::int64_t step;
};

class Superset : public ::testing::TestWithParam<Shape> {};

TEST_P(Superset, ShardOfEachMatchingRowIsInThePlan) {
  static const World kWorld;
  const Shape& shape = GetParam();
  Generator generator(20240607, shape.key, shape.other, shape.step);
  std::size_t planned = 0;
  std::size_t needed = 0;
  std::size_t confined = 0;
  constexpr int kPredicates = 6000;
  for (int i = 0; i < kPredicates; ++i) {
    generator.forget();
    const Node predicate = generator.node(3);
    const std::string text =
        fmt::format("SELECT {} FROM {} WHERE {}", shape.key, shape.table, print(predicate));
    const auto plan = plan_text(kWorld, text, generator.values().get());
    ASSERT_TRUE(plan) << text << ": " << to_string(plan.error());
    ShardSet shards;
    for (const ShardId id : plan->shards) {
      shards.add(id);
    }
    ShardSet matching;
    for (int r = 0; r < 60; ++r) {
      const Row row = generator.row();
      const auto owner =
          kWorld.snapshot()
              .group(GroupId(shape.group))
              ->placement->try_owner(pgtypes::integer_key(pgtypes::KeyType::kInt8, row.key));
      if (!owner || evaluate(predicate, row) != Truth::kTrue) {
        continue;
      }
      matching.add(*owner);
      ASSERT_TRUE(shards.contains(*owner)) << text << " is true for key " << row.key;
    }
    planned += shards.size();
    needed += std::max<std::size_t>(matching.size(), 1);
    confined += shards.size() < testing::kShards ? 1 : 0;
  }
  std::cout << fmt::format(
      "{}: {:.2f} shards planned for each that holds a matching row; {} of {} predicates "
      "confined\n",
      shape.table, static_cast<double>(planned) / static_cast<double>(needed), confined, kPredicates
  );
  EXPECT_GT(confined, kPredicates / 4);  // a planner that says "all" is no planner
}

INSTANTIATE_TEST_SUITE_P(
    Tables, Superset,
    ::testing::Values(
        Shape{"users", "id", "age", 1, 1}, Shape{"items", "user_id", "n", 1, 1},
        Shape{"days", "day", "n", 4, 40}
    ),
    [](const auto& info) { return info.param.table; }
);

}  // namespace
}  // namespace sherd::plan
