#include <algorithm>
#include <optional>
#include <utility>

#include "combine.hpp"
#include "engine.hpp"
#include "key_set.hpp"
#include "sort_key.hpp"

namespace sherd::merge {
namespace {

/// Groups of rows with the partial results of each.
class Groups {
 public:
  [[nodiscard]] static Result<Groups> create(const Parts& parts);

  [[nodiscard]] Result<> add(const RowView& row);
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// Appends the body of group `number` in the shards' shape.
  void append_body(std::size_t number, std::string& out) const;
  [[nodiscard]] std::size_t bytes() const noexcept;

 private:
  explicit Groups(std::uint64_t seed) : keys_(seed) {}
  void add_group() {
    for (const auto& column : columns_) {
      column->add_group();
    }
    ++size_;
  }

  std::vector<std::unique_ptr<Accumulator>> columns_;
  RowEquality equality_;
  KeySet keys_;
  std::string key_;  // scratch
  std::size_t size_ = 0;
};

Result<Groups> Groups::create(const Parts& parts) {
  const Recipe& recipe = parts.recipe;
  if (recipe.combine.size() != parts.columns.size()) {
    return fail(ErrorCode::kInternal, "merge recipe and shards differ in the number of columns");
  }
  Groups made(parts.options.hash_seed);
  for (std::size_t i = 0; i < recipe.combine.size(); ++i) {
    const Combine how = recipe.combine[i];
    const ShardColumn& column = parts.columns[i];
    const std::string_view collation = collation_of(recipe, i);
    std::optional<pgtypes::Comparator> order;
    if (how == Combine::kGroupKey) {
      SHERD_TRY(const auto equality, make_equality(column, collation, parts.options));
      made.equality_.add_column(i, equality);
    } else if (how == Combine::kMin || how == Combine::kMax) {
      SHERD_TRY(order, make_order(column, collation, parts.options));
    }
    SHERD_TRY(
        auto accumulator,
        make_accumulator(how, column, order ? &*order : nullptr, parts.options.text)
    );
    made.columns_.push_back(std::move(accumulator));
  }
  if (made.equality_.empty()) {
    made.add_group();  // one row, also for no input
  }
  return made;
}

Result<> Groups::add(const RowView& row) {
  std::size_t group = 0;
  if (!equality_.empty()) {
    SHERD_TRY_VOID(equality_.key_of(row, key_));
    const KeySet::Found found = keys_.find_or_add(key_);
    if (found.is_new) {
      add_group();
    }
    group = found.number;
  }
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    SHERD_TRY_VOID(columns_[i]->add(group, row[i]));
  }
  return {};
}

void Groups::append_body(std::size_t number, std::string& out) const {
  append_be(out, static_cast<std::uint16_t>(columns_.size()));
  for (const auto& column : columns_) {
    column->append(number, out);
  }
}

std::size_t Groups::bytes() const noexcept {
  std::size_t total = keys_.bytes();
  for (const auto& column : columns_) {
    total += column->bytes();
  }
  return total;
}

/// Rows kept to be sorted at the end.
class SortedRows {
 public:
  explicit SortedRows(SortOrder order) : order_(std::move(order)) {}

  [[nodiscard]] bool needs_output() const noexcept { return order_.needs_output(); }
  /// @param output  the row in the client's shape; empty unless needs_output().
  [[nodiscard]] Result<> add(Bytes row, Bytes output, RowView& view, RowView& output_view);
  /// Sorts so far that the first `count` rows are right; ties stay in the order of arrival.
  void sort(std::uint64_t count);
  [[nodiscard]] std::size_t size() const noexcept { return rows_.size(); }
  [[nodiscard]] Bytes at(std::size_t place) const noexcept { return rows_[places_[place]]; }
  [[nodiscard]] std::size_t bytes() const noexcept {
    return arena_.bytes() + rows_.capacity() * (sizeof(Bytes) + sizeof(std::uint32_t))
           + values_.capacity() * sizeof(SortValue);
  }

 private:
  SortOrder order_;
  Arena arena_;
  std::vector<Bytes> rows_;
  std::vector<SortValue> values_;  // order_.size() per row
  std::vector<std::uint32_t> places_;
};

Result<> SortedRows::add(Bytes row, Bytes output, RowView& view, RowView& output_view) {
  const Bytes kept = arena_.copy(row);
  view.parse_first(kept, order_.columns_needed());
  if (needs_output()) {
    output_view.parse_first(arena_.copy(output), output_view.size());
  }
  rows_.push_back(kept);
  values_.resize(values_.size() + order_.size());
  return order_.decode(view, output_view, values_.data() + values_.size() - order_.size());
}

void SortedRows::sort(std::uint64_t count) {
  places_.resize(rows_.size());
  for (std::size_t i = 0; i < places_.size(); ++i) {
    places_[i] = static_cast<std::uint32_t>(i);
  }
  const auto before = [this](std::uint32_t a, std::uint32_t b) {
    const auto order =
        order_.compare(values_.data() + a * order_.size(), values_.data() + b * order_.size());
    return order != 0 ? order < 0 : a < b;
  };
  if (count < places_.size()) {
    std::partial_sort(
        places_.begin(), places_.begin() + static_cast<std::ptrdiff_t>(count), places_.end(), before
    );
  } else {
    std::ranges::sort(places_, before);
  }
}

/// Grouping, DISTINCT and the final sort.
///
/// rows -> [groups] -> [distinct] -> [sort] -> window -> client. What has no sort behind it goes on
/// at once; without grouping that makes DISTINCT a stream.
class CollectingMerger final : public Engine {
 public:
  CollectingMerger(
      Parts parts, std::optional<Groups> groups, std::optional<RowEquality> distinct,
      std::optional<SortOrder> order
  )
      : Engine(std::move(parts)),
        groups_(std::move(groups)),
        distinct_(std::move(distinct)),
        seen_(parts_.options.hash_seed),
        output_row_(outputs_.size()) {
    if (order) {
      sorted_.emplace(*std::move(order));
    }
  }

  bool wants(std::size_t shard) const noexcept override {
    return !finished(shard) && !window_.closed()
           && ready_.bytes() < parts_.options.shard_high_water_bytes;
  }
  Result<> drain(std::string& out, std::size_t budget_bytes) override;
  bool done() const noexcept override {
    return ready_.empty() && (window_.closed() || (all_finished() && next_ >= final_rows()));
  }
  std::size_t held_bytes() const noexcept override {
    return ready_.bytes() + seen_.bytes() + (groups_ ? groups_->bytes() : 0)
           + (sorted_ ? sorted_->bytes() : 0);
  }

 private:
  Result<> take(std::size_t, Bytes row) override {
    SHERD_TRY_VOID(groups_ ? groups_->add(row_) : pass(row));
    return check_memory();
  }
  Result<> on_all_finished() override;
  /// Takes a row in the shards' shape (also parsed in row_) through distinct to the sort or to the
  /// client.
  [[nodiscard]] Result<> pass(Bytes row);
  /// Rows that are held and are still to be delivered after all shards have finished.
  [[nodiscard]] std::size_t final_rows() const noexcept {
    return sorted_ ? sorted_->size() : (groups_ ? groups_->size() : 0);
  }
  /// The group as a row, parsed into row_.
  [[nodiscard]] Bytes group_row(std::size_t number) {
    body_.clear();
    groups_->append_body(number, body_);
    row_.parse_first(as_bytes(body_), row_.size());
    return as_bytes(body_);
  }

  std::optional<Groups> groups_;
  std::optional<RowEquality> distinct_;  // over the client's shape
  KeySet seen_;
  std::optional<SortedRows> sorted_;
  ReadyRows ready_;
  RowView output_row_;
  std::size_t next_ = 0;             // of final_rows()
  std::string body_, output_, key_;  // scratch
};

Result<> CollectingMerger::pass(Bytes row) {
  output_.clear();
  if (distinct_ || (sorted_ && sorted_->needs_output())) {
    SHERD_TRY_VOID(parts_.projector.append_body(row_, output_));
    output_row_.parse_first(as_bytes(output_), output_row_.size());
  }
  if (distinct_) {
    SHERD_TRY_VOID(distinct_->key_of(output_row_, key_));
    if (!seen_.find_or_add(key_).is_new) {
      return {};
    }
  }
  if (sorted_) {
    return sorted_->add(row, as_bytes(output_), row_, output_row_);
  }
  return window_.admit() ? emit(row_, row, ready_.tail()) : Result<>{};
}

Result<> CollectingMerger::on_all_finished() {
  if (!sorted_) {
    return {};
  }
  for (std::size_t i = 0; groups_ && i < groups_->size(); ++i) {
    SHERD_TRY_VOID(pass(group_row(i)));
    SHERD_TRY_VOID(check_memory());
  }
  sorted_->sort(window_.reach());
  return {};
}

Result<> CollectingMerger::drain(std::string& out, std::size_t budget_bytes) {
  const std::size_t enough = out.size() + budget_bytes;
  ready_.drain(out, budget_bytes);
  while (all_finished() && next_ < final_rows() && !window_.closed() && out.size() < enough) {
    if (!sorted_) {
      SHERD_TRY_VOID(pass(group_row(next_++)));
      ready_.drain(out, budget_bytes);
      continue;
    }
    const Bytes row = sorted_->at(next_++);
    if (window_.admit()) {
      row_.parse_first(row, row_.size());
      SHERD_TRY_VOID(emit(row_, row, out));
    }
  }
  return {};
}

Result<RowEquality> make_distinct(const Parts& parts) {
  RowEquality equality;
  const std::vector<OutputColumn>& outputs = parts.projector.outputs();
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::size_t from = parts.recipe.outputs.empty() ? i : parts.recipe.outputs[i].column;
    const ShardColumn column{.type = outputs[i].type, .format = outputs[i].format};
    SHERD_TRY(
        const auto one, make_equality(column, collation_of(parts.recipe, from), parts.options)
    );
    equality.add_column(i, one);
  }
  return equality;
}

}  // namespace

Result<std::unique_ptr<Merger>> make_collecting(Parts parts) {
  std::optional<Groups> groups;
  std::optional<RowEquality> distinct;
  std::optional<SortOrder> order;
  if (parts.recipe.groups()) {
    SHERD_TRY(groups, Groups::create(parts));
  }
  if (parts.recipe.distinct) {
    SHERD_TRY(distinct, make_distinct(parts));
  }
  if (!parts.recipe.order.empty()) {
    SHERD_TRY(
        order,
        SortOrder::create(parts.recipe, parts.columns, parts.projector.outputs(), parts.options)
    );
  }
  return std::make_unique<CollectingMerger>(
      std::move(parts), std::move(groups), std::move(distinct), std::move(order)
  );
}

}  // namespace sherd::merge
