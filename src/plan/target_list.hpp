#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <sherd/merge/recipe.hpp>

#include "statements.hpp"

// The select list that shards get: the client's columns in their places, then hidden ones.

namespace sherd::plan {

/// One column of the shards' rows.
struct ShardColumn {
  std::string text{};  // as it stands in the shards' select list
  std::string name{};  // of the output, as far as known
  std::string expression{
  };  // text of the target's expression, to find it again in ORDER BY and GROUP BY
  std::optional<ColumnId> source{};
  std::string collation{};
  const sql::Target* target = nullptr;  // nullptr: hidden, or from a star
};

class TargetList {
 public:
  TargetList(const Input& input, const Scope& scope) : input_(input), scope_(scope) {}

  /// Takes over the client's targets with stars expanded. kUnsupported where a star's columns are
  /// not known.
  [[nodiscard]] Result<> expand();
  /// Adds a column that the client does not see. @return its index.
  [[nodiscard]] std::uint32_t add_hidden(const std::string& expression, std::string collation);

  [[nodiscard]] std::vector<ShardColumn>& columns() noexcept { return columns_; }
  [[nodiscard]] std::uint32_t visible() const noexcept { return visible_; }
  [[nodiscard]] bool has_hidden() const noexcept { return columns_.size() > visible_; }
  [[nodiscard]] std::string text() const;
  [[nodiscard]] std::vector<std::string> collations() const;

  /// Index of the visible column that an ORDER BY item means, nullopt if it is none of them.
  /// kUnsupported where that is not certain.
  [[nodiscard]] Result<std::optional<std::uint32_t>> find(const sql::SortItem& item) const;
  /// The same for a GROUP BY item.
  [[nodiscard]] Result<std::optional<std::uint32_t>> find(const sql::GroupItem& item) const;

  /// Collation of an expression's value if it is text; kUnknownCollation where it cannot be told.
  [[nodiscard]] std::string collation_of(const sql::ExpressionFacts& facts, std::string_view text)
      const;

 private:
  [[nodiscard]] Result<std::optional<std::uint32_t>> find_name(const std::string& name) const;
  [[nodiscard]] std::optional<std::uint32_t> find_source(ColumnId source) const;
  [[nodiscard]] std::optional<std::uint32_t> find_expression(std::string_view text) const;
  [[nodiscard]] Result<std::optional<std::uint32_t>> find_ordinal(std::uint32_t ordinal) const;
  [[nodiscard]] Result<> expand_star(const sql::Target& target);

  const Input& input_;
  const Scope& scope_;
  std::vector<ShardColumn> columns_{};
  std::uint32_t visible_ = 0;
};

/// LIMIT or OFFSET.
struct Bound {
  bool present = false;
  std::optional<std::uint64_t> value{};  // none: absent, NULL, or not known before Bind
  std::string text{};                    // for the shards
  bool has_parameter = false;
};
/// kUnsupported for anything but a non-negative integer literal or a parameter that is one.
[[nodiscard]] Result<Bound> bound_of(
    const Input& input, const sql::Operand& operand, std::string_view clause
);

/// Shards' LIMIT clause that lets enough rows through for `limit` after `offset`; "" if none is
/// needed. Mentions every parameter that the client's clause mentions, so that each still has a
/// type.
[[nodiscard]] std::string pushed_limit(const Bound& limit, const Bound& offset);
/// A clause that limits nothing, but mentions the parameters.
[[nodiscard]] std::string idle_limit(const Bound& limit, const Bound& offset);

/// Fills `plan` for aggregates whose groups spread over shards.
[[nodiscard]] Result<> plan_groups(
    const Input& input, const Survey& survey, const Colocation& colocation, TargetList& list,
    Plan& plan
);

}  // namespace sherd::plan
