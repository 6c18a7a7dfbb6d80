#pragma once

#include <compare>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include <sherd/base/error.hpp>
#include <sherd/merge/merger.hpp>
#include <sherd/merge/recipe.hpp>
#include <sherd/pgtypes/value.hpp>

#include "row.hpp"

namespace sherd::merge {

/// Name of the collation of shard column `column`: the recipe's, else "" (the database's default).
[[nodiscard]] std::string_view collation_of(const Recipe& recipe, std::size_t column);

/// A comparator of `column` in the order of `collation` (of text types; others ignore it).
[[nodiscard]] Result<pgtypes::Comparator> make_order(
    const ShardColumn& column, std::string_view collation, const MergeOptions& options
);

/// Equality of `column`; kUnsupported under a collation that is not deterministic.
[[nodiscard]] Result<pgtypes::Comparator> make_equality(
    const ShardColumn& column, std::string_view collation, const MergeOptions& options
);

/// One sort key of one row, decoded; borrows the row's bytes.
struct SortValue {
  pgtypes::Ordinal ordinal{};
  bool null = false;
};

/// ORDER BY over rows in the shards' shape, with averages taken from the client's shape.
class SortOrder {
 public:
  /// @param outputs  the client's columns; keys on an average are read from them.
  [[nodiscard]] static Result<SortOrder> create(
      const Recipe& recipe, std::span<const ShardColumn> columns,
      std::span<const OutputColumn> outputs, const MergeOptions& options
  );

  [[nodiscard]] std::size_t size() const noexcept { return keys_.size(); }
  /// Columns of the shards' rows, from the first, that decode looks at.
  [[nodiscard]] std::size_t columns_needed() const noexcept { return columns_needed_; }
  /// A key is on an average: decode needs the client's row too.
  [[nodiscard]] bool needs_output() const noexcept { return needs_output_; }

  /// Decodes the keys of a row into `values`, size() of them.
  /// @param output  the client's shape of the row; only looked at when needs_output().
  [[nodiscard]] Result<> decode(const RowView& row, const RowView& output, SortValue* values) const;
  [[nodiscard]] std::strong_ordering compare(const SortValue* a, const SortValue* b)
      const noexcept {
    for (std::size_t i = 0; i < keys_.size(); ++i) {
      if (const auto order = compare_one(keys_[i], a[i], b[i]); order != 0) {
        return order;
      }
    }
    return std::strong_ordering::equal;
  }

 private:
  struct Key {
    pgtypes::Comparator comparator;
    std::size_t column;
    bool from_output;
    bool descending;
    bool nulls_first;
  };

  [[nodiscard]] static std::strong_ordering compare_one(
      const Key& key, const SortValue& a, const SortValue& b
  ) noexcept {
    if (a.null || b.null) {
      return key.nulls_first ? b.null <=> a.null : a.null <=> b.null;
    }
    return key.descending ? key.comparator.compare(b.ordinal, a.ordinal)
                          : key.comparator.compare(a.ordinal, b.ordinal);
  }

  std::vector<Key> keys_;
  std::size_t columns_needed_ = 0;
  bool needs_output_ = false;
};

/// The canonical forms of some columns of a row, for hashing.
class RowEquality {
 public:
  void add_column(std::size_t column, const pgtypes::Comparator& equality) {
    columns_.push_back({column, equality});
  }
  /// Replaces `out` by the key of `row`.
  [[nodiscard]] Result<> key_of(const RowView& row, std::string& out) const;
  [[nodiscard]] bool empty() const noexcept { return columns_.empty(); }

 private:
  struct Column {
    std::size_t column;
    pgtypes::Comparator equality;
  };
  std::vector<Column> columns_;
};

}  // namespace sherd::merge
