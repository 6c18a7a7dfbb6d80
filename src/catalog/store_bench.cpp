#include <filesystem>
#include <string>

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <unistd.h>

#include <sherd/catalog/store.hpp>

// Has the epoch grown? This is asked often. A commit is asked for by an operator.

namespace sherd::catalog {
namespace {

topology::Snapshot cluster(std::uint32_t shards) {
  topology::Snapshot snapshot;
  std::vector<strategy::Member> members;
  for (std::uint32_t i = 0; i < shards; ++i) {
    snapshot.shards.push_back({.id = ShardId(i), .name = fmt::format("s{}", i)});
    members.push_back({.id = ShardId(i), .name = fmt::format("s{}", i)});
  }
  snapshot.groups.push_back(
      {.id = GroupId(0), .name = "default", .placement = *strategy::compile({}, members)}
  );
  for (int i = 0; i < 100; ++i) {
    snapshot.tables.push_back(
        {.schema = "public",
         .name = fmt::format("t{}", i),
         .kind = topology::TableKind::kDistributed,
         .key_column = "id"}
    );
  }
  return snapshot;
}

class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "sherd-bench-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] std::string file() const { return path_ + "/state.db"; }

 private:
  std::string path_{};
};

void newest_epoch(benchmark::State& state) {
  const Folder folder;
  const auto store = *Store::open(folder.file(), system_clock(), system_random());
  for (auto _ : state) {
    benchmark::DoNotOptimize(store->newest_epoch());
  }
}
BENCHMARK(newest_epoch);

void commit_then_load(benchmark::State& state) {
  const Folder folder;
  const auto store = *Store::open(folder.file(), system_clock(), system_random());
  const topology::Snapshot snapshot = cluster(static_cast<std::uint32_t>(state.range(0)));
  Epoch epoch{};
  for (auto _ : state) {
    epoch = store->commit(snapshot, epoch, {.who = "bench", .what = "again"}).value();
    if (store->load()->epoch != epoch) {
      state.SkipWithError("the commit was not read back");
    }
  }
}
BENCHMARK(commit_then_load)->Arg(3)->Arg(1000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace sherd::catalog
