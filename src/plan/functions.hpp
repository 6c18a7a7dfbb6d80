#pragma once

#include <sherd/sql/statement.hpp>
#include <sherd/topology/schema.hpp>

#include "input.hpp"

// Which functions may run where.

namespace sherd::plan {

enum class FunctionUse : std::uint8_t {
  kRead,        // on several shards, rows merged: every call must mean the same everywhere
  kMultiWrite,  // a change of rows on several shards: the time may differ, as between transactions
  kSplit,       // VALUES rows for several shards: each is evaluated once, wherever
  kCopies,      // the same rows on every shard: every call must give the same value
};

/// Calls `visit(const sql::ExpressionFacts&)` for every expression of the statement, whatever
/// clause it stands in.
template <class Visit>
void for_each_expression(const sql::Statement& statement, Visit&& visit);

/// kUnsupported, naming the function and why, unless every function that the statement mentions may
/// be used so. A function that the schema does not know may do anything.
[[nodiscard]] Result<> check_functions(
    const sql::Statement& statement, const topology::Schema& schema, FunctionUse use
);

/// Functions whose state lives on one shard (sequences, advisory locks, large objects) do not mean
/// what they say next to a distributed table.
[[nodiscard]] Result<> check_home_functions(const sql::Statement& statement);

/// kUnsupported unless what stands in subqueries gives the same on every copy of the same rows: no
/// LIMIT, DISTINCT ON, window function, sampling or aggregate that depends on the order of rows, no
/// system column anywhere. With kCopies that holds for the root as well.
[[nodiscard]] Result<> check_steady(
    const sql::Statement& statement, const topology::Schema& schema, FunctionUse use
);

/// Some function may change something: it is volatile, or not known.
[[nodiscard]] bool may_write(const sql::Statement& statement, const topology::Schema& schema);

/// A window function or a call with OVER stands in `facts`.
[[nodiscard]] bool has_window(const sql::ExpressionFacts& facts, const topology::Schema& schema);
[[nodiscard]] bool has_aggregate(const sql::ExpressionFacts& facts, const topology::Schema& schema);
[[nodiscard]] bool has_set_returning(
    const sql::ExpressionFacts& facts, const topology::Schema& schema
);

/// A column default that a sequence gives, and one whose value differs from call to call or from
/// server to server.
[[nodiscard]] bool takes_sequence(const topology::Column& column);
[[nodiscard]] bool is_unsteady_default(const topology::Column& column);

// --- template

template <class Visit>
void for_each_expression(const sql::Statement& statement, Visit&& visit) {
  const auto each = [&](const auto& items) {
    for (const auto& item : items) {
      visit(item.facts);
    }
  };
  for (const sql::Block& block : statement.blocks) {
    visit(block.where_facts);
    visit(block.having_facts);
    visit(block.window_facts);
    visit(block.limit_facts);
    visit(block.values_facts);
    each(block.relations);
    each(block.targets);
    each(block.group_by);
    each(block.order_by);
    each(block.distinct_on);
    for (const sql::JoinNode& node : block.join_nodes) {
      visit(node.on_facts);
    }
  }
  if (const auto* insert = std::get_if<sql::Insert>(&statement.body)) {
    for (const auto& facts : insert->row_facts) {
      visit(facts);
    }
    visit(insert->conflict_facts);
    each(insert->returning);
  } else if (const auto* update = std::get_if<sql::Update>(&statement.body)) {
    for (const auto& facts : update->set_facts) {
      visit(facts);
    }
  }
}

}  // namespace sherd::plan
