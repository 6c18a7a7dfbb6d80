#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <sherd/base/bytes.hpp>
#include <sherd/base/error.hpp>
#include <sherd/base/ids.hpp>
#include <sherd/merge/recipe.hpp>
#include <sherd/pgtypes/collation.hpp>
#include <sherd/pgtypes/value.hpp>

// Rows of several shards to the rows of one result. No I/O: rows are pushed in, finished rows are
// drained.

namespace sherd::merge {

/// A column of the shards' rows, from a shard's RowDescription. The caller has made sure that all
/// shards agree on types and formats.
struct ShardColumn {
  std::string name{};
  Oid type = 0;
  std::int32_t typmod = -1;
  std::int16_t format = 0;        // 0 text, 1 binary
  std::int16_t type_size = -1;    // as the shard says; handed on to the client
  std::uint32_t table = 0;        // likewise
  std::int16_t table_column = 0;  // likewise
};

/// A column of the result, for the client's RowDescription.
struct OutputColumn {
  std::string name{};
  Oid type = 0;
  std::int32_t typmod = -1;
  std::int16_t format = 0;
  std::int16_t type_size = -1;
  std::uint32_t table = 0;
  std::int16_t table_column = 0;
};

struct MergeOptions {
  /// Collations by name, with the database's default; borrowed until the merger is gone. nullptr:
  /// only "C", "POSIX" and "ucs_basic" are known.
  const pgtypes::CollationSet* collations = nullptr;
  std::size_t memory_bytes = 64 * 1024 * 1024;  // rows, groups and keys held; past it kConfigLimit
  std::size_t shard_high_water_bytes = 256 * 1024;      // wants(shard) is false above it
  std::string memory_limit_name{"merge_memory_bytes"};  // named in the error
  /// As in Bind: none: all text; one: for all outputs; else one per output.
  std::vector<std::int16_t> output_formats{};
  pgtypes::TextSettings text{};
  /// client_encoding of the shard sessions is the databases' own. False: text cannot be ordered
  /// here (refused).
  bool text_in_server_encoding = true;
  std::uint64_t hash_seed = 0x9e3779b97f4a7c15;  // unpredictable in production, so that nobody can
                                                 // choose keys that collide
};

/// Formats to ask the shards for, one per shard column, so that as little as possible must be
/// converted: the client's own format for what it sees as it is, binary for what is computed or
/// only sorted by.
/// @param output_formats  as in MergeOptions.
/// @param column_count    of the shards' rows; 0: as many as the recipe mentions.
[[nodiscard]] std::vector<std::int16_t> shard_formats(
    const Recipe& recipe, std::span<const std::int16_t> output_formats, std::size_t column_count = 0
);

/// Obeys one Recipe for one execution. Not thread-safe. After an error it must not be used again.
///
///     while (!m->done()) {
///       … for each shard i with m->wants(i): receive; DataRow: m->push(i, body); CommandComplete:
///       m->finish(i) m->drain(out, budget);  // complete DataRow messages to the client
///     }
///     when done(): cancel or drop what shards still send
///
/// Shape: concatenation keeps each shard's order and interleaves shards as they arrive. An ordered
/// merge keeps ties in shard order. Grouped rows without an order come in the order in which groups
/// were first seen. Memory: bounded by MergeOptions::memory_bytes; a caller that heeds wants()
/// holds at most shard_high_water_bytes and one message per shard in the two streaming modes.
class Merger {
 public:
  /// @param columns  of the shards' rows, at least as many as the recipe mentions.
  /// @return kUnsupported where an order, an equality, a sum or a conversion of a type is not known
  /// to be the server's;
  ///         kInternal for a recipe that does not fit the columns.
  [[nodiscard]] static Result<std::unique_ptr<Merger>> create(
      const Recipe& recipe, std::span<const ShardColumn> columns, std::size_t shard_count,
      MergeOptions options
  );

  virtual ~Merger() = default;
  Merger(const Merger&) = delete;
  Merger& operator=(const Merger&) = delete;

  /// Takes the body of one DataRow message (int16 count, then int32 length and bytes each); copies
  /// what it keeps. Ignored when done().
  /// @return kProtocolViolation for a malformed row; kConfigLimit past the memory limit;
  /// kOutOfRange with PostgreSQL's
  ///         message when a sum overflows; kUnsupported for a value whose text form does not tell
  ///         its meaning.
  [[nodiscard]] virtual Result<> push(std::size_t shard, Bytes row) = 0;
  /// Shard `shard` has sent its last row.
  [[nodiscard]] virtual Result<> finish(std::size_t shard) = 0;
  /// False while more rows of this shard would only wait here: pause its connection.
  [[nodiscard]] virtual bool wants(std::size_t shard) const noexcept = 0;

  /// Appends finished rows to `out` as complete DataRow messages ('D', length, body), about
  /// `budget_bytes` of them and always whole rows.
  /// @return kUnsupported when a shard's stream goes backwards (it sorts differently than assumed).
  /// Cost: O(log shards) comparisons per row in an ordered merge, no allocation per row.
  [[nodiscard]] virtual Result<> drain(std::string& out, std::size_t budget_bytes = 64 * 1024) = 0;
  /// Every row of the result has been drained; no more input matters.
  [[nodiscard]] virtual bool done() const noexcept = 0;

  /// Bytes held now: rows, groups, keys.
  [[nodiscard]] virtual std::size_t held_bytes() const noexcept = 0;
  /// True when rows go through untouched, in any order and without a limit: the caller may relay
  /// the shards' bytes itself.
  [[nodiscard]] virtual bool passes_through() const noexcept = 0;
  [[nodiscard]] const std::vector<OutputColumn>& outputs() const noexcept { return outputs_; }
  [[nodiscard]] std::uint64_t rows_drained() const noexcept {
    return rows_drained_;
  }  // for "SELECT n"

 protected:
  explicit Merger(std::vector<OutputColumn> outputs) : outputs_(std::move(outputs)) {}

  std::vector<OutputColumn> outputs_;
  std::uint64_t rows_drained_ = 0;
};

}  // namespace sherd::merge
