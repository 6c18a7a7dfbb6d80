#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sherd/pgtypes/oid.hpp>
#include <sherd/topology/snapshot.hpp>

namespace sherd::topology {
namespace {

/// Puts every key on one shard.
class OnePlacement final : public strategy::Placement {
 public:
  OnePlacement(pgtypes::KeyType type, std::uint32_t shard)
      : Placement(spec_of(type), {}, set_of(shard)), shard_(ShardId(shard)) {}
  [[nodiscard]] std::optional<ShardId> try_owner(const pgtypes::Key&) const noexcept override {
    return shard_;
  }
  [[nodiscard]] std::string explain(const pgtypes::Key&) const override { return "one"; }
  [[nodiscard]] std::string layout() const override { return "one"; }

 private:
  static strategy::StrategySpec spec_of(pgtypes::KeyType type) {
    strategy::StrategySpec spec;
    spec.key_type = type;
    return spec;
  }
  static ShardSet set_of(std::uint32_t shard) {
    ShardSet set;
    set.add(ShardId(shard));
    return set;
  }
  ShardId shard_;
};

Snapshot good() {
  Snapshot s;
  s.epoch = Epoch(7);
  s.shards = {
      Shard{.id = ShardId(2), .name = "b", .active = false}, Shard{.id = ShardId(1), .name = "a"}
  };
  s.home = ShardId(1);
  s.groups = {Group{
      .id = GroupId(1),
      .name = "default",
      .placement = std::make_shared<OnePlacement>(pgtypes::KeyType::kInt8, 2)
  }};
  s.tables = {
      Table{
          .schema = "public",
          .name = "users",
          .kind = TableKind::kDistributed,
          .group = GroupId(1),
          .key_column = "id"
      },
      Table{.schema = "public", .name = "countries", .kind = TableKind::kReference},
  };
  Schema::Parts parts;
  parts.relations = {RelationInfo{
      .schema = "public",
      .name = "users",
      .columns =
          {Column{.name = "name", .type = oid::kText}, Column{.name = "id", .type = oid::kInt4}}
  }};
  parts.functions["lower"] = FunctionInfo{.is_builtin = true};
  s.schema = std::make_shared<const Schema>(std::move(parts));
  return s;
}

TEST(Snapshot, SealedSnapshotFindsWhatItHolds) {
  Snapshot s = good();
  ASSERT_TRUE(s.seal());
  EXPECT_EQ(s.shards.front().id, ShardId(1));
  EXPECT_EQ(s.shard(ShardId(2))->name, "b");
  EXPECT_EQ(s.shard(ShardId(3)), nullptr);
  EXPECT_EQ(s.shard_named("a")->id, ShardId(1));
  EXPECT_EQ(s.group_named("default")->id, GroupId(1));
  EXPECT_EQ(s.table("public", "users")->key_column, "id");
  EXPECT_EQ(s.table("other", "users"), nullptr);
  EXPECT_FALSE(s.active_shards().contains(ShardId(2)));
  EXPECT_EQ(s.schema->find("public", "users")->column_index("id"), 1U);
  EXPECT_EQ(s.schema->find("public", "nothing"), nullptr);
  EXPECT_TRUE(s.schema->function("lower")->is_builtin);
  EXPECT_EQ(s.schema->function("upper"), nullptr);
}

TEST(Snapshot, SnapshotWithoutSchemaGetsAnEmptyOne) {
  Snapshot s = good();
  s.schema = nullptr;
  ASSERT_TRUE(s.seal());
  EXPECT_NE(s.schema, nullptr);
}

struct Damage {
  const char* name;
  void (*apply)(Snapshot&);
};

TEST(Snapshot, EveryKindOfDamageIsRefusedWhenSealed) {
  const Damage damages[] = {
      {"home", [](Snapshot& s) { s.home = ShardId(9); }},
      {"shard id twice", [](Snapshot& s) { s.shards[0].id = ShardId(1); }},
      {"shard name twice", [](Snapshot& s) { s.shards[0].name = "a"; }},
      {"shard without name", [](Snapshot& s) { s.shards[0].name = ""; }},
      {"group id twice",
       [](Snapshot& s) {
         s.groups.push_back(s.groups[0]);
         s.groups[1].name = "x";
       }},
      {"group name twice",
       [](Snapshot& s) {
         s.groups.push_back(s.groups[0]);
         s.groups[1].id = GroupId(2);
       }},
      {"no placement", [](Snapshot& s) { s.groups[0].placement = nullptr; }},
      {"placed on no shard",
       [](Snapshot& s) {
         s.groups[0].placement = std::make_shared<OnePlacement>(pgtypes::KeyType::kInt8, 5);
       }},
      {"no group", [](Snapshot& s) { s.tables[0].group = GroupId(4); }},
      {"no key", [](Snapshot& s) { s.tables[0].key_column = ""; }},
      {"unknown key", [](Snapshot& s) { s.tables[0].key_column = "user_id"; }},
      {"key of another family", [](Snapshot& s) { s.tables[0].key_column = "name"; }},
      {"table twice", [](Snapshot& s) { s.tables.push_back(s.tables[1]); }},
      {"local table listed", [](Snapshot& s) { s.tables[1].kind = TableKind::kLocal; }},
  };
  for (const Damage& damage : damages) {
    Snapshot s = good();
    damage.apply(s);
    const auto sealed = s.seal();
    ASSERT_FALSE(sealed) << damage.name;
    EXPECT_EQ(sealed.error().code, ErrorCode::kInvalidConfig) << damage.name;
  }
}

TEST(SnapshotHolder, ReaderSeesTheNewestPublishedSnapshot) {
  SnapshotHolder holder;
  SnapshotReader reader(holder);
  EXPECT_EQ(reader.get(), nullptr);
  for (std::uint64_t epoch = 1; epoch < 4; ++epoch) {
    auto s = std::make_shared<Snapshot>();
    s->epoch = Epoch(epoch);
    holder.publish(s);
    EXPECT_EQ(holder.epoch(), Epoch(epoch));
    EXPECT_EQ(reader.get()->epoch, Epoch(epoch));
  }
}

TEST(SnapshotHolder, EpochsOfAReaderOnlyGrowWhileAnotherThreadPublishes) {
  SnapshotHolder holder;
  constexpr std::uint64_t kLast = 2000;
  std::thread writer([&] {
    for (std::uint64_t epoch = 1; epoch <= kLast; ++epoch) {
      auto s = std::make_shared<Snapshot>();
      s->epoch = Epoch(epoch);
      holder.publish(std::move(s));
    }
  });
  SnapshotReader reader(holder);
  std::uint64_t seen = 0;
  bool grew = true;
  while (seen < kLast) {
    const SnapshotPtr now = reader.get();
    const std::uint64_t epoch = now ? number_of(now->epoch) : 0;
    grew = grew && epoch >= seen;
    seen = epoch;
  }
  writer.join();
  EXPECT_TRUE(grew);
}

TEST(SnapshotHolder, PublishingAnOldEpochIsADefect) {
  SnapshotHolder holder;
  auto s = std::make_shared<Snapshot>();
  s->epoch = Epoch(5);
  holder.publish(s);
  EXPECT_DEATH(holder.publish(s), "epoch");
}

}  // namespace
}  // namespace sherd::topology
