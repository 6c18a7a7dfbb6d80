#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "input.hpp"
#include "names.hpp"

// Which column a name means, at which query level: only where that is certain.

namespace sherd::plan {

/// A column of one occurrence of a relation.
struct ColumnId {
  BlockId block = 0;
  std::uint32_t relation = 0;  // index into Block::relations
  std::uint32_t column = 0;    // of the table, or of the derived relation's outputs
  friend bool operator==(const ColumnId&, const ColumnId&) = default;
};

/// Types whose values are equal exactly when their canonical keys are.
enum class Family : std::uint8_t {
  kNone,
  kInteger,
  kText,
  kUuid,
  kDate,
  kTimestamp,
  kTimestamptz,
  kNumeric
};
[[nodiscard]] Family family_of(Oid type) noexcept;
/// Equal under the collation means equal bytes, for sure.
[[nodiscard]] bool is_deterministic(std::string_view collation) noexcept;

/// Stands for a collation that cannot be told: no collation has this name.
inline constexpr std::string_view kUnknownCollation = "?";

/// A column that a query level gives out.
struct OutColumn {
  std::string name{};
  std::optional<ColumnId> source{};  // where it is a plain column of that level
  Oid type = 0;                      // 0: not known
  std::string collation{};
};

/// Where a query level stands in the one around it; decides which outer names it sees.
enum class Attachment : std::uint8_t {
  kRoot,
  kExpression,  // in WHERE, the target list, …: sees all of the level around it
  kLateral,     // LATERAL in FROM: sees what stands to its left
  kFrom,        // in FROM: sees only what the level around it sees outside
  kArm,         // of UNION and kin
  kDetached,    // elsewhere (ON, a CTE, RETURNING): names that it does not have itself are not
                // attributed
};

/// Names of one statement, resolved. Borrows statement and snapshot. Cheap for what is not asked.
class Scope {
 public:
  /// kUnsupported as resolve_name.
  [[nodiscard]] static Result<Scope> build(const Input& input);

  [[nodiscard]] const Named& relation(BlockId block, std::uint32_t index) const {
    return relations_[first_[block] + index];
  }
  [[nodiscard]] Attachment attachment(BlockId block) const { return places_[block].kind; }
  [[nodiscard]] const sql::Block& block(BlockId id) const { return statement_->blocks[id]; }
  [[nodiscard]] std::size_t block_count() const noexcept { return places_.size(); }

  /// The column that `name` means in an expression at level `block`, or nullopt where that is not
  /// certain.
  [[nodiscard]] std::optional<ColumnId> resolve(BlockId block, const sql::ColumnRef& name) const;
  /// The same, but only among the relations of `block` itself.
  [[nodiscard]] std::optional<ColumnId> resolve_here(BlockId block, const sql::ColumnRef& name)
      const;
  /// The column `name` of what join node `node` gives out (merged columns of USING stand for the
  /// preserved side's).
  [[nodiscard]] std::optional<ColumnId> resolve_in_join(
      BlockId block, std::uint32_t node, std::string_view name
  ) const;

  [[nodiscard]] Oid type_of(ColumnId column) const;
  [[nodiscard]] std::string_view collation_of(ColumnId column) const;
  /// Is the shard key of a distributed table.
  [[nodiscard]] bool is_key(ColumnId column) const;

  /// Columns of a relation in order, with alias lists applied; nullopt where not known.
  [[nodiscard]] std::optional<std::vector<OutColumn>> columns(BlockId block, std::uint32_t relation)
      const;
  /// Columns that a level gives out, stars expanded; nullopt where not known.
  [[nodiscard]] const std::optional<std::vector<OutColumn>>& outputs(BlockId block) const;

  /// Leaves of the join tree below `node`: indices into Block::relations.
  void leaves(BlockId block, std::uint32_t node, std::vector<std::uint32_t>& out) const;
  /// Relations of `block` that stand in no join tree (the target of UPDATE and DELETE).
  [[nodiscard]] std::vector<std::uint32_t> loose_relations(BlockId block) const;

 private:
  struct Place {
    Attachment kind = Attachment::kDetached;
    BlockId parent = 0;
    std::uint32_t relation = 0;  // kFrom, kLateral
  };
  enum class Verdict : std::uint8_t { kFound, kAbsent, kUncertain };
  struct Lookup {
    Verdict verdict = Verdict::kAbsent;
    ColumnId column{};
  };

  Scope() = default;
  void attach_blocks(const Input& input);
  void attach(const sql::ExpressionFacts& facts, BlockId parent);
  [[nodiscard]] std::optional<ColumnId> search(BlockId block, const sql::ColumnRef& name) const;
  [[nodiscard]] Lookup look_up(BlockId block, const sql::ColumnRef& name) const;
  [[nodiscard]] Lookup look_up_qualified(BlockId block, const sql::ColumnRef& name) const;
  [[nodiscard]] Lookup look_up_node(BlockId block, std::uint32_t node, std::string_view name) const;
  [[nodiscard]] Lookup look_up_relation(BlockId block, std::uint32_t index, std::string_view name)
      const;
  [[nodiscard]] Lookup one_of(Lookup a, Lookup b) const;
  [[nodiscard]] bool expand_star(
      BlockId block, const sql::Target& target, std::vector<OutColumn>& out
  ) const;
  [[nodiscard]] std::optional<std::vector<OutColumn>> make_outputs(BlockId block) const;
  /// What `columns` says of one column, without a copy of the others. nullptr: not known.
  [[nodiscard]] const OutColumn* derived_column(ColumnId column) const;

  const sql::Statement* statement_ = nullptr;
  std::span<const sql::Literal> literals_{};
  std::vector<std::uint32_t> first_{};  // by block: index of its first relation
  std::vector<Named> relations_{};      // of all blocks, one after the other
  std::vector<Place> places_{};         // by block
  /// Outputs of a level, made once: levels in levels would else be walked again and again.
  struct Cached {
    enum class State : std::uint8_t {
      kEmpty,
      kInWork,
      kMade
    } state = State::kEmpty;  // kInWork: a recursive CTE
    std::optional<std::vector<OutColumn>> outputs{};
  };
  mutable std::vector<Cached> cache_{};  // by block
  /// Names resolved before, where there are many relations to look through; a name stands at one
  /// place.
  mutable std::unordered_map<const sql::ColumnRef*, std::optional<ColumnId>> resolved_{};
};

}  // namespace sherd::plan
