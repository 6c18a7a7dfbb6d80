#include <atomic>
#include <cstdlib>
#include <new>

#include <benchmark/benchmark.h>

#include "model_for_test.hpp"

// Rows per second and allocations per row. Each benchmark checks how many rows it got.

namespace {

std::atomic<std::uint64_t> allocations{0};

}  // namespace

void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* const bytes = std::malloc(size); bytes != nullptr) {
    return bytes;
  }
  throw std::bad_alloc();
}
void operator delete(void* bytes) noexcept {
  std::free(bytes);
}
void operator delete(void* bytes, std::size_t) noexcept {
  std::free(bytes);
}

namespace sherd::merge {
namespace {

using namespace model;

constexpr std::size_t kShards = 3;
constexpr std::size_t kRows = 100'000;  // per shard

std::vector<std::vector<std::string>> sorted_shards(
    const std::vector<Column>& columns, bool text_first
) {
  std::vector<std::vector<std::string>> shards(kShards);
  for (std::size_t i = 0; i < kRows * kShards; ++i) {
    const ModelRow row =
        text_first
            ? ModelRow{{.text = fmt::format("customer number {:09}", i)}, {.number = static_cast<std::int64_t>(i)}}
            : ModelRow{
                  {.number = static_cast<std::int64_t>(i)},
                  {.text = "a text of thirty characters.."}
              };
    shards[(i * 7 + i / 5) % kShards].push_back(encode(row, columns));
  }
  return shards;
}

void merge_all(benchmark::State& state, const std::vector<Column>& columns, bool text_first) {
  const auto shards = sorted_shards(columns, text_first);
  Recipe recipe;
  recipe.order = {{.output = 0, .collation = "C"}};
  MergeOptions options;
  options.output_formats = {columns[0].format, columns[1].format};
  std::string out;
  out.reserve(1 << 20);
  std::uint64_t counted = 0;
  for (auto _ : state) {
    auto merger = *Merger::create(recipe, shard_columns(columns), kShards, options);
    const std::uint64_t before = allocations;
    std::array<std::size_t, kShards> next{};
    while (!merger->done()) {
      for (std::size_t shard = 0; shard < kShards; ++shard) {
        while (merger->wants(shard) && next[shard] < shards[shard].size()) {
          static_cast<void>(merger->push(shard, as_bytes(shards[shard][next[shard]++])).has_value()
          );
        }
        if (next[shard] == shards[shard].size()) {
          static_cast<void>(merger->finish(shard).has_value());
        }
      }
      out.clear();
      static_cast<void>(merger->drain(out, 512 * 1024).has_value());
    }
    counted += allocations - before;
    if (merger->rows_drained() != kRows * kShards) {
      state.SkipWithError("rows are missing");
    }
  }
  const auto rows = static_cast<double>(state.iterations()) * kRows * kShards;
  state.SetItemsProcessed(static_cast<std::int64_t>(rows));
  state.counters["allocations_per_row"] = static_cast<double>(counted) / rows;
}

void BM_OrderedMergeOfInt8(benchmark::State& state) {
  merge_all(state, {{oid::kInt8, 1}, {oid::kText, 0}}, false);
}
BENCHMARK(BM_OrderedMergeOfInt8)->Unit(benchmark::kMillisecond);

void BM_OrderedMergeOfInt8AsText(benchmark::State& state) {
  merge_all(state, {{oid::kInt8, 0}, {oid::kText, 0}}, false);
}
BENCHMARK(BM_OrderedMergeOfInt8AsText)->Unit(benchmark::kMillisecond);

void BM_OrderedMergeOfText(benchmark::State& state) {
  merge_all(state, {{oid::kText, 0}, {oid::kInt8, 1}}, true);
}
BENCHMARK(BM_OrderedMergeOfText)->Unit(benchmark::kMillisecond);

void BM_Group(benchmark::State& state) {
  const auto groups = static_cast<std::uint64_t>(state.range(0));
  const std::vector<Column> columns = {{oid::kInt8, 1}, {oid::kInt8, 1}, {oid::kNumeric, 1}};
  Recipe recipe;
  recipe.combine = {Combine::kGroupKey, Combine::kCount, Combine::kSum};
  Random random(3);
  std::vector<std::string> rows;
  for (std::size_t i = 0; i < kRows; ++i) {
    rows.push_back(encode(
        {{.number = static_cast<std::int64_t>(i % groups)},
         {.number = 1},
         {.number = static_cast<std::int64_t>(below(random, 100'000))}},
        columns
    ));
  }
  std::string out;
  for (auto _ : state) {
    auto merger = *Merger::create(recipe, shard_columns(columns), 1, {});
    for (const std::string& row : rows) {
      static_cast<void>(merger->push(0, as_bytes(row)).has_value());
    }
    static_cast<void>(merger->finish(0).has_value());
    while (!merger->done()) {
      out.clear();
      static_cast<void>(merger->drain(out).has_value());
    }
    if (merger->rows_drained() != std::min<std::uint64_t>(groups, kRows)) {
      state.SkipWithError("groups are missing");
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kRows));
}
BENCHMARK(BM_Group)->Arg(10)->Arg(50'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace sherd::merge
