#include <atomic>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sherd/base/fault.hpp>
#include <sherd/catalog/store.hpp>

namespace sherd::catalog {
namespace {

using strategy::StrategyKind;
using strategy::StrategySpec;

class FixedClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const noexcept override { return TimePoint{}; }
  [[nodiscard]] std::chrono::system_clock::time_point wall() const noexcept override {
    return std::chrono::system_clock::time_point(std::chrono::seconds(1'700'000'000));
  }
};

class SeededRandom final : public RandomSource {
 public:
  explicit SeededRandom(std::uint64_t seed) : random_(seed) {}
  [[nodiscard]] std::uint64_t next() override { return random_(); }

 private:
  std::mt19937_64 random_;
};

class StoreTest : public testing::Test {
 protected:
  StoreTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "sherd-store-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    path_ = folder_ + "/state.db";
  }
  ~StoreTest() override {
    fault::disarm_all();
    std::filesystem::remove_all(folder_);
  }

  std::unique_ptr<Store> opened(std::uint64_t seed = 1) {
    SeededRandom random(seed);
    auto store = Store::open(path_, clock_, random);
    EXPECT_TRUE(store.has_value()) << to_string(store.error());
    return *std::move(store);
  }

  FixedClock clock_{};
  std::string folder_{};
  std::string path_{};
};

topology::Shard shard(std::uint32_t id, std::string name, double weight = 1.0) {
  return {.id = ShardId(id), .name = std::move(name), .weight = weight};
}

topology::Group group(
    std::uint32_t id, std::string name, StrategySpec spec,
    const std::vector<topology::Shard>& shards
) {
  std::vector<strategy::Member> members;
  for (const topology::Shard& s : shards) {
    members.push_back({s.id, s.name, s.weight, s.region});
  }
  auto placement = strategy::compile(spec, members);
  EXPECT_TRUE(placement.has_value()) << to_string(placement.error());
  return {GroupId(id), std::move(name), std::move(spec), placement ? *placement : nullptr};
}

topology::Snapshot three_shards() {
  topology::Snapshot snapshot;
  snapshot.shards = {shard(0, "s0"), shard(1, "s1", 2.5), shard(2, "s2")};
  snapshot.shards[1].region = "eu";
  snapshot.shards[1].read_only = true;
  snapshot.shards[2].active = false;
  snapshot.shards[2].priority = -4;
  snapshot.shards[2].tags = {"a \"b\"", "ü"};
  snapshot.groups = {group(0, "default", {}, snapshot.shards)};
  snapshot.tables = {
      {"public", "countries", topology::TableKind::kReference, {}, {}},
      {"public", "users", topology::TableKind::kDistributed, GroupId(0), "id"},
  };
  snapshot.home = ShardId(1);
  return snapshot;
}

Epoch committed(Store& store, const topology::Snapshot& next, Epoch expected) {
  const auto epoch = store.commit(next, expected, {.who = "tester", .what = "change"});
  EXPECT_TRUE(epoch.has_value()) << to_string(epoch.error());
  return epoch.value_or(Epoch{});
}

TEST_F(StoreTest, NewFileIsEmptyAtEpochZeroWithAnIdOfItsOwn) {
  const auto store = opened(1);
  const auto snapshot = store->load();
  ASSERT_TRUE(snapshot.has_value());
  EXPECT_EQ(snapshot->epoch, Epoch(0));
  EXPECT_TRUE(snapshot->shards.empty());
  EXPECT_EQ(snapshot->cluster_id.size(), 32U);
}

TEST_F(StoreTest, ClusterIdIsMadeOnceAndKept) {
  const std::string first = opened(1)->load()->cluster_id;
  EXPECT_EQ(opened(2)->load()->cluster_id, first);
}

TEST_F(StoreTest, FileIsReadableByItsOwnerAlone) {
  const auto store = opened();
  committed(*store, three_shards(), Epoch(0));
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    struct stat info{};
    ASSERT_EQ(::stat(entry.path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U) << entry.path();
  }
}

TEST_F(StoreTest, CommittedTopologyComesBackAfterReopening) {
  const topology::Snapshot written = three_shards();
  committed(*opened(), written, Epoch(0));
  const auto read = opened()->load();
  ASSERT_TRUE(read.has_value()) << to_string(read.error());
  EXPECT_EQ(read->epoch, Epoch(1));
  EXPECT_EQ(read->home, ShardId(1));
  ASSERT_EQ(read->shards.size(), 3U);
  EXPECT_EQ(read->shards[1].weight, 2.5);
  EXPECT_EQ(read->shards[1].region, "eu");
  EXPECT_TRUE(read->shards[1].read_only);
  EXPECT_FALSE(read->shards[2].active);
  EXPECT_EQ(read->shards[2].priority, -4);
  EXPECT_EQ(read->shards[2].tags, written.shards[2].tags);
  ASSERT_EQ(read->groups.size(), 1U);
  EXPECT_EQ(read->groups[0].placement->layout(), written.groups[0].placement->layout());
  ASSERT_EQ(read->tables.size(), 2U);
  EXPECT_EQ(read->tables[0].kind, topology::TableKind::kReference);
  EXPECT_EQ(read->tables[1].key_column, "id");
}

TEST_F(StoreTest, ShardThatJoinsLaterDoesNotChangeACompiledLayout) {
  const auto store = opened();
  topology::Snapshot snapshot = three_shards();
  committed(*store, snapshot, Epoch(0));
  snapshot.shards.push_back(shard(3, "s3"));
  committed(*store, snapshot, Epoch(1));
  EXPECT_EQ(store->load()->groups[0].placement->layout(), snapshot.groups[0].placement->layout());
}

TEST_F(StoreTest, CommitOverAnOldEpochIsRefusedAndChangesNothing) {
  const auto store = opened();
  committed(*store, three_shards(), Epoch(0));
  topology::Snapshot other = three_shards();
  other.tables.clear();
  const auto late = store->commit(other, Epoch(0), {.who = "late", .what = "w"});
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error().code, ErrorCode::kStaleTopology);
  EXPECT_EQ(store->load()->tables.size(), 2U);
  EXPECT_EQ(store->audit(10)->size(), 1U);
}

TEST_F(StoreTest, OneOfTwoConnectionsWithTheSameEpochWins) {
  const auto a = opened();
  const auto b = opened();
  committed(*a, three_shards(), Epoch(0));
  const auto lost = b->commit(three_shards(), Epoch(0), {.who = "b", .what = "w"});
  EXPECT_EQ(lost.error().code, ErrorCode::kStaleTopology);
}

TEST_F(StoreTest, NewestEpochSeesCommitsOfOtherConnections) {
  const auto a = opened();
  const auto b = opened();
  EXPECT_EQ(*b->newest_epoch(), Epoch(0));
  committed(*a, three_shards(), Epoch(0));
  EXPECT_EQ(*b->newest_epoch(), Epoch(1));
  EXPECT_EQ(*a->newest_epoch(), Epoch(1));
  committed(*b, three_shards(), Epoch(1));
  EXPECT_EQ(*a->newest_epoch(), Epoch(2));
  EXPECT_EQ(*b->newest_epoch(), Epoch(2));
}

TEST_F(StoreTest, EveryEpochIsWonByExactlyOneOfManyWriters) {
  constexpr int kWriters = 4;
  constexpr int kWins = 5;
  opened();
  std::atomic<int> wins{0};
  std::vector<std::thread> writers;
  for (int w = 0; w < kWriters; ++w) {
    writers.emplace_back([&] {
      SeededRandom random(9);
      const auto store = Store::open(path_, clock_, random);
      for (int won = 0; store && won < kWins;) {
        const auto epoch = (*store)->newest_epoch();
        if (epoch && (*store)->commit(three_shards(), *epoch, {.who = "w", .what = "c"})) {
          ++won;
          ++wins;
        }
      }
    });
  }
  for (std::thread& writer : writers) {
    writer.join();
  }
  EXPECT_EQ(wins, kWriters * kWins);
  EXPECT_EQ(*opened()->newest_epoch(), Epoch(kWriters * kWins));
  EXPECT_EQ(opened()->audit(1000)->size(), kWriters * kWins);
}

TEST_F(StoreTest, AuditTellsWhoChangedWhatAndWhenNewestFirst) {
  const auto store = opened();
  topology::Snapshot next = three_shards();
  std::ignore = store->commit(next, Epoch(0), {.who = "alice", .what = "start"});
  next.tables.pop_back();
  std::ignore = store->commit(next, Epoch(1), {.who = "bob", .what = "undistribute users"});
  const auto audit = store->audit(10);
  ASSERT_TRUE(audit.has_value());
  ASSERT_EQ(audit->size(), 2U);
  EXPECT_EQ((*audit)[0].who, "bob");
  EXPECT_EQ((*audit)[0].epoch, Epoch(2));
  EXPECT_EQ((*audit)[0].time, clock_.wall());
  EXPECT_THAT((*audit)[0].before, testing::HasSubstr("\"users\""));
  EXPECT_THAT((*audit)[0].after, testing::Not(testing::HasSubstr("\"users\"")));
  EXPECT_EQ(store->audit(1)->size(), 1U);
}

TEST_F(StoreTest, PasswordsAndAddressesAreNowhereInTheFile) {
  topology::Snapshot snapshot = three_shards();
  snapshot.shards[0].primary = {"secret-host", 1, "db", "user", "hunter2"};
  committed(*opened(), snapshot, Epoch(0));
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    EXPECT_EQ(bytes.find("hunter2"), std::string::npos);
    EXPECT_EQ(bytes.find("secret-host"), std::string::npos);
  }
}

TEST_F(StoreTest, IdOfARemovedShardIsNeverGivenAgain) {
  const auto store = opened();
  topology::Snapshot snapshot = three_shards();
  committed(*store, snapshot, Epoch(0));
  snapshot.groups.clear();
  snapshot.tables.clear();
  snapshot.shards.pop_back();
  committed(*store, snapshot, Epoch(1));
  EXPECT_EQ(*store->next_shard_id(), ShardId(3));
  snapshot.shards.push_back(shard(2, "another"));
  const auto again = store->commit(snapshot, Epoch(2), {.who = "w", .what = "w"});
  EXPECT_EQ(again.error().code, ErrorCode::kInvalidParameterValue);
}

TEST_F(StoreTest, ShardCannotChangeItsName) {
  const auto store = opened();
  topology::Snapshot snapshot = three_shards();
  committed(*store, snapshot, Epoch(0));
  snapshot.groups.clear();
  snapshot.tables.clear();
  snapshot.shards[0].name = "renamed";
  const auto renamed = store->commit(snapshot, Epoch(1), {.who = "w", .what = "w"});
  EXPECT_EQ(renamed.error().code, ErrorCode::kInvalidParameterValue);
}

TEST_F(StoreTest, ContradictionsAreRefusedAndLeaveTheOldTopology) {
  const auto store = opened();
  committed(*store, three_shards(), Epoch(0));
  topology::Snapshot twice = three_shards();
  twice.tables.push_back(twice.tables.front());
  topology::Snapshot no_group = three_shards();
  no_group.groups.clear();
  topology::Snapshot no_placement = three_shards();
  no_placement.groups[0].placement = nullptr;
  for (const topology::Snapshot* bad : {&twice, &no_group, &no_placement}) {
    const auto result = store->commit(*bad, Epoch(1), {.who = "w", .what = "w"});
    EXPECT_EQ(result.error().code, ErrorCode::kInvalidParameterValue);
  }
  EXPECT_EQ(*store->newest_epoch(), Epoch(1));
  EXPECT_EQ(store->load()->tables.size(), 2U);
}

TEST_F(StoreTest, FileOfANewerVersionIsRefusedUntouched) {
  opened();
  sqlite3* raw = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &raw), SQLITE_OK);
  sqlite3_exec(raw, "PRAGMA user_version = 99", nullptr, nullptr, nullptr);
  sqlite3_close(raw);
  SeededRandom random(1);
  const auto store = Store::open(path_, clock_, random);
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code, ErrorCode::kNotInPrerequisiteState);
}

TEST_F(StoreTest, FileOfAnotherProgramIsRefused) {
  sqlite3* raw = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &raw), SQLITE_OK);
  sqlite3_exec(raw, "CREATE TABLE theirs (a)", nullptr, nullptr, nullptr);
  sqlite3_close(raw);
  SeededRandom random(1);
  EXPECT_EQ(Store::open(path_, clock_, random).error().code, ErrorCode::kNotInPrerequisiteState);
}

TEST_F(StoreTest, FileThatIsNoDatabaseAndAMissingFolderAreErrors) {
  std::ofstream(path_) << std::string(5000, 'x');
  SeededRandom random(1);
  EXPECT_EQ(Store::open(path_, clock_, random).error().code, ErrorCode::kIo);
  EXPECT_EQ(Store::open(folder_ + "/none/state.db", clock_, random).error().code, ErrorCode::kIo);
}

TEST_F(StoreTest, FailureBeforeTheCommitLeavesNothing) {
  const auto store = opened();
  fault::arm("catalog.commit.written", FaultAction::kFail);
  const auto result = store->commit(three_shards(), Epoch(0), {.who = "w", .what = "w"});
  EXPECT_EQ(result.error().code, ErrorCode::kIo);
  EXPECT_EQ(*store->newest_epoch(), Epoch(0));
  EXPECT_TRUE(store->load()->shards.empty());
  committed(*store, three_shards(), Epoch(0));
}

/// Runs one commit in a process that dies at `point`; returns the epoch that is found afterwards.
Epoch epoch_after_crash_at(const std::string& path, const Clock& clock, const std::string& point) {
  const pid_t child = ::fork();
  if (child == 0) {
    SeededRandom random(1);
    auto store = Store::open(path, clock, random);
    fault::arm(point, FaultAction::kCrash);
    std::ignore = (*store)->commit(three_shards(), Epoch(0), {.who = "w", .what = "w"});
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 137);
  SeededRandom random(1);
  auto store = Store::open(path, clock, random);
  return store ? *(*store)->newest_epoch() : Epoch(99);
}

TEST_F(StoreTest, CrashBeforeTheCommitLosesItWholly) {
  EXPECT_EQ(epoch_after_crash_at(path_, clock_, "catalog.commit.written"), Epoch(0));
  EXPECT_TRUE(opened()->audit(1)->empty());
}

TEST_F(StoreTest, CrashAfterTheCommitKeepsItWholly) {
  EXPECT_EQ(epoch_after_crash_at(path_, clock_, "catalog.commit.done"), Epoch(1));
  EXPECT_EQ(opened()->audit(1)->size(), 1U);
  EXPECT_EQ(opened()->load()->tables.size(), 2U);
}

TEST(Attach, GivesShardsTheirAddressesAndNamesThoseWithoutOne) {
  topology::Snapshot snapshot;
  snapshot.shards = {shard(0, "s0"), shard(1, "s1")};
  const topology::Endpoint endpoint{"h", 1, "d", "u", "p"};
  const auto result = attach(snapshot, {{"s0", endpoint, {endpoint}}, {"other", endpoint, {}}});
  ASSERT_FALSE(result.has_value());
  EXPECT_THAT(result.error().message, testing::HasSubstr("lacks shard s1"));
  EXPECT_EQ(snapshot.shards[0].primary, endpoint);
  EXPECT_EQ(snapshot.shards[0].replicas.size(), 1U);
}

}  // namespace
}  // namespace sherd::catalog
