#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// How the rows of several shards become one result: printable, made by `plan`, obeyed by `merge`.

namespace sherd::merge {

/// What becomes of one column of the shards' rows when rows of one group meet.
enum class Combine : std::uint8_t {
  kGroupKey,  // equal within a group
  kCount,     // bigint sum, of counts: empty input gives 0
  kSum,       // NULL for no input; type of the column: int8, numeric, float4/8, money, interval
  kMin,
  kMax,
  kBoolAnd,
  kBoolOr,
  kBitAnd,
  kBitOr,
};

/// An output column of the final row.
struct Output {
  enum class Kind : std::uint8_t {
    kColumn,   // shard column `column` as it is (after combination)
    kAverage,  // shard column `column` is sum(x), `count_column` is count(x): avg(x) in
               // PostgreSQL's own digits
  };
  Kind kind = Kind::kColumn;
  std::uint32_t column = 0;
  std::uint32_t count_column = 0;
  std::string name{};  // as the client sees it; "" keeps the shard's
};

struct SortKey {
  std::uint32_t output = 0;  // index into Recipe::columns… see `on_output`
  bool on_output =
      false;  // true: sorts by Recipe::outputs[output]; false: by shard column `output`
  bool descending = false;
  bool nulls_first = false;
  std::string collation{};  // "" = the column's own, "C", "en_US.utf8" …
};

struct Recipe {
  /// One per shard column when rows are grouped; empty: rows pass one by one.
  std::vector<Combine> combine{};
  /// With `combine`: no kGroupKey column means exactly one row, also for no input.
  std::vector<Output> outputs{};
  bool distinct = false;  // of whole output rows
  std::vector<SortKey> order{
  };  // shards' streams are sorted by it already unless `combine` or `distinct`
  std::optional<std::uint64_t> limit{};
  std::uint64_t offset = 0;
  /// Collation of each shard column by name, for kMin and kMax of text, for sorting by a column's
  /// own collation, and to know that grouping by bytes is right. Missing or "" means the database's
  /// default.
  std::vector<std::string> collations{};
  [[nodiscard]] bool groups() const noexcept { return !combine.empty(); }
};

/// "concat", "merge by 2 columns, limit 10", …: one line for EXPLAIN.
[[nodiscard]] std::string describe(const Recipe& recipe);

}  // namespace sherd::merge
