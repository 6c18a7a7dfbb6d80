#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <sherd/merge/merger.hpp>

#include "project.hpp"
#include "row.hpp"

namespace sherd::merge {

/// OFFSET and LIMIT, row by row.
class Window {
 public:
  explicit Window(const Recipe& recipe) noexcept
      : skip_(recipe.offset), left_(recipe.limit.value_or(kNoLimit)) {}

  /// No further row can pass.
  [[nodiscard]] bool closed() const noexcept { return left_ == 0; }
  /// Whether the next row is part of the result.
  [[nodiscard]] bool admit() noexcept {
    if (skip_ > 0) {
      --skip_;
      return false;
    }
    if (left_ == 0) {
      return false;
    }
    left_ -= left_ == kNoLimit ? 0 : 1;
    return true;
  }
  /// Rows that can still be looked at, skipped ones included.
  [[nodiscard]] std::uint64_t reach() const noexcept {
    return left_ > kNoLimit - skip_ ? kNoLimit : left_ + skip_;
  }

 private:
  static constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

  std::uint64_t skip_;
  std::uint64_t left_;
};

/// What every mode is made of.
struct Parts {
  Recipe recipe;
  std::vector<ShardColumn> columns;
  std::size_t shard_count;
  MergeOptions options;
  Projector projector;
};

/// What the modes share: rows are checked, shards finish once, finished rows wait in a buffer.
class Engine : public Merger {
 public:
  Result<> push(std::size_t shard, Bytes row) final;
  Result<> finish(std::size_t shard) final;
  bool passes_through() const noexcept override { return false; }

 protected:
  explicit Engine(Parts parts);

  /// `row` is well-formed and parsed into row_.
  [[nodiscard]] virtual Result<> take(std::size_t shard, Bytes row) = 0;
  /// Called once, when the last shard has finished.
  [[nodiscard]] virtual Result<> on_all_finished() { return {}; }

  [[nodiscard]] bool finished(std::size_t shard) const noexcept { return finished_[shard]; }
  [[nodiscard]] bool all_finished() const noexcept { return unfinished_ == 0; }
  /// kConfigLimit when more than the limit is held.
  [[nodiscard]] Result<> check_memory() const;
  /// Appends one admitted row as a message. `row` is its body, `view` the same parsed.
  [[nodiscard]] Result<> emit(const RowView& view, Bytes row, std::string& out);

  Parts parts_;
  Window window_;
  RowView row_;

 private:
  std::vector<bool> finished_;
  std::size_t unfinished_;
};

/// Messages that wait to be drained.
class ReadyRows {
 public:
  [[nodiscard]] std::string& tail() noexcept { return messages_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return messages_.size() - at_; }
  [[nodiscard]] bool empty() const noexcept { return bytes() == 0; }
  /// Moves whole messages to `out`: all, or at least `budget_bytes` of them.
  void drain(std::string& out, std::size_t budget_bytes);

 private:
  std::string messages_;
  std::size_t at_ = 0;
};

[[nodiscard]] Result<std::unique_ptr<Merger>> make_concat(Parts parts);
[[nodiscard]] Result<std::unique_ptr<Merger>> make_ordered(Parts parts);
[[nodiscard]] Result<std::unique_ptr<Merger>> make_collecting(Parts parts);

}  // namespace sherd::merge
