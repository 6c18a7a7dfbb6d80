#include <algorithm>
#include <utility>

#include <sherd/merge/merger.hpp>

#include "engine.hpp"

namespace sherd::merge {
namespace {

std::size_t columns_mentioned(const Recipe& recipe, std::size_t formats) {
  std::size_t count = std::max(recipe.combine.size(), recipe.outputs.empty() ? formats : 0);
  for (const Output& output : recipe.outputs) {
    const bool average = output.kind == Output::Kind::kAverage;
    count = std::max<std::size_t>(count, output.column + 1);
    count = std::max<std::size_t>(count, average ? output.count_column + 1 : 0);
  }
  for (const SortKey& key : recipe.order) {
    count = std::max<std::size_t>(count, key.on_output ? 0 : key.output + 1);
  }
  return count;
}

/// What comes of the column is a value of its rows, not one computed from them.
bool is_kept_as_is(const Recipe& recipe, std::size_t column) {
  if (column >= recipe.combine.size()) {
    return true;
  }
  const Combine how = recipe.combine[column];
  return how == Combine::kGroupKey || how == Combine::kMin || how == Combine::kMax;
}

}  // namespace

std::vector<std::int16_t> shard_formats(
    const Recipe& recipe, std::span<const std::int16_t> output_formats, std::size_t column_count
) {
  if (recipe.outputs.empty() && !recipe.groups()) {
    // The client's columns are the shards' columns: its own codes fit, however many columns there
    // are.
    return {output_formats.begin(), output_formats.end()};
  }
  const std::size_t count =
      column_count != 0 ? column_count : columns_mentioned(recipe, output_formats.size());
  std::vector<std::int16_t> formats(count, pgtypes::kBinaryFormat);
  for (std::size_t i = 0; recipe.outputs.empty() && i < count; ++i) {
    formats[i] = is_kept_as_is(recipe, i) ? format_at(output_formats, i) : formats[i];
  }
  for (std::size_t i = recipe.outputs.size(); i-- > 0;) {  // backwards: the first mention wins
    const Output& output = recipe.outputs[i];
    const bool plain = output.kind == Output::Kind::kColumn && output.column < count;
    if (plain && is_kept_as_is(recipe, output.column)) {
      formats[output.column] = format_at(output_formats, i);
    }
  }
  return formats;
}

Result<std::unique_ptr<Merger>> Merger::create(
    const Recipe& recipe, std::span<const ShardColumn> columns, std::size_t shard_count,
    MergeOptions options
) {
  if (shard_count == 0) {
    return fail(ErrorCode::kInternal, "merge without shards");
  }
  SHERD_TRY(Projector projector, Projector::create(recipe, columns, options));
  Parts parts{
      .recipe = recipe,
      .columns = {columns.begin(), columns.end()},
      .shard_count = shard_count,
      .options = std::move(options),
      .projector = std::move(projector),
  };
  if (recipe.groups() || recipe.distinct) {
    return make_collecting(std::move(parts));
  }
  return recipe.order.empty() ? make_concat(std::move(parts)) : make_ordered(std::move(parts));
}

}  // namespace sherd::merge
