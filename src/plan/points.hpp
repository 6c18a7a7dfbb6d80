#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <sherd/base/shard_set.hpp>

#include "constant.hpp"
#include "input.hpp"
#include "scope.hpp"

// For each occurrence of a distributed table the shards that may hold rows which matter to the
// statement.
//
// A row matters if the statement's answer could change were it not there. For each query level the
// conditions that must be true for a row to matter are gathered as facts: comparisons with
// constants, equalities of columns, general predicates. Facts flow
//   - from WHERE and inner joins to every relation of the level,
//   - from ON of an outer join to the side that may be null-extended only, and not back,
//   - from a level into subqueries in its expressions (their result is of no interest for rows that
//   the facts exclude),
//   - into and out of subqueries in FROM, single-use CTEs and IN (SELECT …) through their plain
//   output columns.
// The shards of a relation are then what all facts allow to its key, or to any column that must be
// equal to it.

namespace sherd::plan {

struct Fact {
  enum class Kind : std::uint8_t {
    kPredicate,  // `predicate`, its names seen from `block`, is true
    kEqual,      // a = b, neither NULL
    kLink,       // a is b: a derived relation's column and what it is made of (both may be NULL)
    kValues,     // a is in column `column` of the VALUES lists of `block`
  };
  Kind kind = Kind::kPredicate;
  const sql::Predicate* predicate = nullptr;
  BlockId block = 0;
  ColumnId a{};
  ColumnId b{};
  std::uint32_t column = 0;
  std::optional<BlockId> exported_by{};  // the subquery that it came out of
};
using Facts = std::vector<Fact>;
/// Facts beyond are dropped: fewer facts confine less, and a hostile statement costs no more than
/// this.
inline constexpr std::size_t kMostFacts = 256;

/// A condition `key = operand` that must hold.
struct KeyOperand {
  const sql::Operand* operand = nullptr;
  KeyColumn column{};
};

/// What is known of one occurrence of a distributed table.
struct Confinement {
  ColumnId key{};
  const topology::Group* group = nullptr;
  ShardSet shards{};
  std::vector<ColumnId> equal{};  // columns that must equal the key, itself included
  std::vector<KeyOperand> operands{};
  std::uint32_t nullable = 0;  // how many outer joins may null-extend it
};

/// Computes the confinements of a whole statement. Borrows input and scope.
class Points {
 public:
  /// REQUIRES: `scope` was built from `input`.
  Points(const Input& input, const Scope& scope);

  /// All occurrences of distributed tables, in all levels.
  [[nodiscard]] const std::vector<Confinement>& all() const noexcept { return all_; }
  [[nodiscard]] const Confinement* of(BlockId block, std::uint32_t relation) const noexcept;

  /// Shards of `group` that may own a value of `column` in rows that level `block` gives out.
  [[nodiscard]] ShardSet shards_of_output(
      BlockId block, ColumnId column, const topology::Group& group
  ) const;
  /// "user_id = 42" for a condition that decided, "" if there is none to name.
  [[nodiscard]] const std::string& reason() const noexcept { return reason_; }

 private:
  void visit_block(BlockId block, const Facts& inherited);
  void visit_expressions(BlockId block, const Facts& facts);
  void visit_node(BlockId block, std::uint32_t node, const Facts& facts, std::uint32_t nullable);
  struct Sides {
    std::uint32_t preserved;
    std::uint32_t nullable;
  };
  void visit_outer(
      BlockId block, std::uint32_t join, Sides sides, const Facts& facts, std::uint32_t nullable
  );
  void visit_full(BlockId block, const sql::JoinNode& node, std::uint32_t nullable);
  void visit_leaf(
      BlockId block, std::uint32_t relation, const Facts& facts, std::uint32_t nullable
  );
  void visit_derived(BlockId block, std::uint32_t relation, const Facts& facts);
  void visit_remaining();
  [[nodiscard]] Facts without_own(const Facts& facts, BlockId inner) const;

  [[nodiscard]] const Facts& facts_of_block(BlockId block) const;
  [[nodiscard]] Facts make_facts(BlockId block) const;
  void add_facts_of_node(BlockId block, std::uint32_t node, Facts& out) const;
  void add_conjuncts(BlockId block, const sql::Predicate& predicate, Facts& out) const;
  void add_join_conjuncts(BlockId block, std::uint32_t node, Facts& out) const;
  void add_equality(const ColumnId& a, const ColumnId& b, Facts& out) const;
  void add_exports(BlockId block, std::uint32_t relation, Facts& out) const;
  void add_links(BlockId outer, std::uint32_t relation, BlockId inner, bool pushes, Facts& out)
      const;
  void add_in_subquery(BlockId block, const sql::Predicate& predicate, Facts& out) const;

  /// Whether a row that comes out of `block` is one row of it, unchanged (or one group, with its
  /// keys).
  [[nodiscard]] bool gives_out_rows(BlockId block) const;
  /// Whether a condition on an output can be tested before the level's other work.
  [[nodiscard]] bool takes_conditions(BlockId block) const;
  [[nodiscard]] bool is_group_key(BlockId block, ColumnId source) const;
  [[nodiscard]] std::optional<BlockId> single_use_block(const sql::Relation& relation) const;

  [[nodiscard]] bool is_strict_on(
      const Fact& fact, BlockId block, const std::vector<std::uint32_t>& side
  ) const;
  [[nodiscard]] bool is_strict_on(
      const sql::Predicate& predicate, BlockId at, BlockId block,
      const std::vector<std::uint32_t>& side
  ) const;
  [[nodiscard]] bool mentions(
      const Fact& fact, BlockId block, const std::vector<std::uint32_t>& side
  ) const;
  [[nodiscard]] bool mentions(
      const sql::Predicate& predicate, BlockId at, BlockId block,
      const std::vector<std::uint32_t>& side
  ) const;

  const Input& input_;
  const Scope& scope_;
  std::vector<std::uint32_t> cte_uses_{};              // by block
  std::vector<std::uint8_t> visited_{};                // by block
  std::vector<std::vector<BlockId>> children_{};       // by block: subqueries in its expressions
  mutable std::vector<std::optional<Facts>> facts_{};  // by block: facts_of_block, made once
  std::vector<Confinement> all_{};
  std::string reason_{};
};

/// Columns that must equal `column` under `facts`, itself included. Only columns of one family
/// whose equality is that of their canonical keys.
[[nodiscard]] std::vector<ColumnId> equal_columns(
    const Scope& scope, ColumnId column, const Facts& facts
);

/// The shards that `facts` allow to the value of the columns `equal`, as keys of `group`.
/// @param operands  if not null, gathers the conditions `key = operand`.
/// @param reason    if not null, gets a condition that names the key.
[[nodiscard]] ShardSet allowed_shards(
    const Input& input, const Scope& scope, const std::vector<ColumnId>& equal,
    const topology::Group& group, const Facts& facts, std::vector<KeyOperand>* operands,
    std::string* reason
);

}  // namespace sherd::plan
