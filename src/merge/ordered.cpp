#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "engine.hpp"
#include "loser_tree.hpp"
#include "row_queue.hpp"
#include "sort_key.hpp"

namespace sherd::merge {
namespace {

/// Streams that are sorted already, into one. Each shard has a queue; the head of each queue is
/// decoded once and stands in a tree of losers.
class OrderedMerger final : public Engine {
 public:
  OrderedMerger(Parts parts, SortOrder order)
      : Engine(std::move(parts)),
        order_(std::move(order)),
        heads_(parts_.shard_count),
        values_(parts_.shard_count * order_.size()),
        next_values_(order_.size()),
        tree_(parts_.shard_count) {
    queues_.reserve(parts_.shard_count);
    for (std::size_t shard = 0; shard < parts_.shard_count; ++shard) {
      queues_.emplace_back(pool_);
    }
  }

  bool wants(std::size_t shard) const noexcept override {
    return !finished(shard) && !window_.closed()
           && queues_[shard].bytes() < parts_.options.shard_high_water_bytes;
  }
  Result<> drain(std::string& out, std::size_t budget_bytes) override;
  bool done() const noexcept override {
    return window_.closed() || (all_finished() && held_bytes_ == 0);
  }
  std::size_t held_bytes() const noexcept override { return held_bytes_; }

 private:
  enum class Head : std::uint8_t { kMissing, kLoaded, kExhausted };

  Result<> take(std::size_t shard, Bytes row) override {
    const std::size_t before = queues_[shard].bytes();
    queues_[shard].push(row);
    held_bytes_ += queues_[shard].bytes() - before;
    return check_memory();
  }
  [[nodiscard]] SortValue* values_of(std::size_t shard) noexcept {
    return values_.data() + shard * order_.size();
  }
  [[nodiscard]] bool before(std::size_t a, std::size_t b) noexcept {
    if (heads_[a] != heads_[b]) {
      return heads_[a] < heads_[b];  // loaded before exhausted
    }
    if (heads_[a] == Head::kLoaded) {
      if (const auto order = order_.compare(values_of(a), values_of(b)); order != 0) {
        return order < 0;
      }
    }
    return a < b;
  }
  /// Loads the head of `shard` where its queue has one. True when the head is known: loaded or
  /// exhausted.
  [[nodiscard]] Result<bool> load(std::size_t shard);
  /// Loads every head and builds the tree; true when that is done.
  [[nodiscard]] Result<bool> start();
  [[nodiscard]] Result<> pass_on(std::size_t shard, std::string& out);

  SortOrder order_;
  BlockPool pool_;
  std::vector<RowQueue> queues_;
  std::vector<Head> heads_;
  std::vector<SortValue>
      values_;  // of each shard's head, or of its last row while the head is missing
  std::vector<SortValue> next_values_;  // scratch
  std::vector<bool> seen_ =
      std::vector<bool>(heads_.size());  // a row of this shard has been loaded
  LoserTree tree_;
  std::size_t held_bytes_ = 0;
  bool started_ = false;
};

Result<bool> OrderedMerger::load(std::size_t shard) {
  RowQueue& queue = queues_[shard];
  if (queue.empty()) {
    if (finished(shard)) {
      heads_[shard] = Head::kExhausted;
    }
    return finished(shard);
  }
  row_.parse_first(queue.front(), order_.columns_needed());
  SHERD_TRY_VOID(order_.decode(row_, row_, next_values_.data()));
  if (seen_[shard] && order_.compare(next_values_.data(), values_of(shard)) < 0) {
    return fail(
        ErrorCode::kUnsupported,
        fmt::format("shard stream {} is not sorted as the statement demands", shard + 1),
        "the shard sorts differently, perhaps by another collation version; add COLLATE \"C\""
    );
  }
  std::ranges::copy(next_values_, values_of(shard));
  seen_[shard] = true;
  heads_[shard] = Head::kLoaded;
  return true;
}

Result<bool> OrderedMerger::start() {
  for (std::size_t shard = 0; shard < heads_.size(); ++shard) {
    if (heads_[shard] == Head::kMissing) {
      SHERD_TRY(const bool known, load(shard));
      if (!known) {
        return false;
      }
    }
  }
  tree_.build([this](std::size_t a, std::size_t b) { return before(a, b); });
  started_ = true;
  return true;
}

Result<> OrderedMerger::pass_on(std::size_t shard, std::string& out) {
  RowQueue& queue = queues_[shard];
  const Bytes row = queue.front();
  if (window_.admit()) {
    if (!parts_.projector.is_identity()) {
      row_.parse_first(row, row_.size());
    }
    SHERD_TRY_VOID(emit(row_, row, out));
  }
  const std::size_t before_pop = queue.bytes();
  queue.pop();
  held_bytes_ -= before_pop - queue.bytes();
  heads_[shard] = Head::kMissing;
  return {};
}

Result<> OrderedMerger::drain(std::string& out, std::size_t budget_bytes) {
  if (heads_.empty()) {
    return {};
  }
  if (!started_) {
    SHERD_TRY(const bool ready, start());
    if (!ready) {
      return {};
    }
  }
  const std::size_t enough = out.size() + budget_bytes;
  while (!window_.closed() && out.size() < enough) {
    const std::size_t shard = tree_.winner();
    if (heads_[shard]
        == Head::kMissing) {  // passed on before; its successor may have come meanwhile
      SHERD_TRY(const bool known, load(shard));
      if (!known) {
        return {};
      }
      tree_.replay([this](std::size_t a, std::size_t b) { return before(a, b); });
      continue;
    }
    if (heads_[shard] == Head::kExhausted) {
      return {};  // the winner has no row: nobody has
    }
    SHERD_TRY_VOID(pass_on(shard, out));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Merger>> make_ordered(Parts parts) {
  SHERD_TRY(
      SortOrder order,
      SortOrder::create(parts.recipe, parts.columns, parts.projector.outputs(), parts.options)
  );
  if (order.needs_output()) {
    return fail(ErrorCode::kInternal, "merge recipe orders ungrouped rows by an average");
  }
  return std::make_unique<OrderedMerger>(std::move(parts), std::move(order));
}

}  // namespace sherd::merge
