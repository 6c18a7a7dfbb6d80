// What existing deployments compute (tests/golden/placement.json) is what we compute: their data is
// adopted where it lies.

#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <sherd/strategy/placement.hpp>

#include "ring_placement.hpp"

namespace sherd::strategy {
namespace {

using nlohmann::json;
using pgtypes::Key;
using pgtypes::KeyType;

json golden() {
  std::ifstream in(SHERD_SOURCE_DIR "/tests/golden/placement.json");
  return json::parse(in);
}

std::string name_at(const std::vector<Member>& members, ShardId id) {
  return members.at(index_of(id)).name;
}

// Ids in an order of their own, so that only the names can give the right one.
std::vector<Member> numbered(std::size_t count) {
  std::vector<Member> members;
  for (std::size_t i = 0; i < count; ++i) {
    members.push_back(
        {.id = ShardId(static_cast<std::uint32_t>(i)), .name = fmt::format("shard{}", i + 1)}
    );
  }
  return members;
}

std::vector<Member> ring_members(const json& shards) {
  std::vector<Member> members;
  if (shards == "S100") {
    for (int i = 0; i < 100; ++i) {
      members.push_back({.name = fmt::format("s{:03}", i)});
    }
  } else {
    for (const json& shard : shards) {
      members.push_back({.name = shard["id"], .weight = shard["weight"]});
    }
  }
  for (std::size_t i = 0; i < members.size(); ++i) {
    members[i].id = ShardId(static_cast<std::uint32_t>(i));
  }
  return members;
}

StrategySpec spec_of(StrategyKind kind, const json& vector, const json& key) {
  return {
      .kind = kind,
      .key_type = key.is_number() ? KeyType::kInt8 : KeyType::kText,
      .hash = vector["hash"] == "md5" ? HashFunction::kMd5 : HashFunction::kSha256,
  };
}

struct KeyHolder {
  std::string text{};
  Key key{};
};

void read_key(const json& value, KeyHolder& holder) {
  if (value.is_number()) {
    holder.key = pgtypes::integer_key(KeyType::kInt8, value.get<std::int64_t>());
  } else {
    holder.text = value.get<std::string>();
    holder.key = Key{.type = KeyType::kText, .text = holder.text};
  }
}

TEST(GoldenPlacement, ModuloVectorsAreReproduced) {
  const json vectors = golden()["modulo"];
  ASSERT_EQ(vectors.size(), 308U);
  for (const json& vector : vectors) {
    const auto members = numbered(vector["shards"]);
    const auto placement = compile(spec_of(StrategyKind::kHash, vector, vector["key"]), members);
    ASSERT_TRUE(placement.has_value()) << to_string(placement.error());
    KeyHolder holder;
    read_key(vector["key"], holder);
    const auto owner = (*placement)->owner(holder.key);
    ASSERT_TRUE(owner.has_value());
    EXPECT_EQ(name_at(members, *owner), vector["shard"].get<std::string>()) << vector;
  }
}

TEST(GoldenPlacement, RingVectorsAreReproducedWithTheirPosition) {
  const json vectors = golden()["ring"];
  ASSERT_EQ(vectors.size(), 176U);
  for (const json& vector : vectors) {
    const auto members = ring_members(vector["shards"]);
    StrategySpec spec = spec_of(StrategyKind::kConsistentHash, vector, vector["key"]);
    spec.virtual_nodes_per_shard = vector["vnodes"];
    const auto placement = compile(spec, members);
    ASSERT_TRUE(placement.has_value()) << to_string(placement.error());
    KeyHolder holder;
    read_key(vector["key"], holder);
    const auto owner = (*placement)->owner(holder.key);
    ASSERT_TRUE(owner.has_value());
    EXPECT_EQ(name_at(members, *owner), vector["shard"].get<std::string>()) << vector;
    const auto& ring = dynamic_cast<const RingPlacement&>(**placement);
    const auto digest = digest_of(spec.hash, holder.key);
    ASSERT_TRUE(digest.has_value());
    EXPECT_EQ(ring.position(*digest), vector["position"].get<std::size_t>()) << vector;
  }
}

TEST(GoldenPlacement, UuidKeyHashesAsItsText) {
  const auto members = numbered(16);
  StrategySpec spec{.kind = StrategyKind::kHash, .key_type = KeyType::kText};
  std::string scratch;
  const std::string text = "550e8400-e29b-41d4-a716-446655440000";
  const auto as_text_key =
      (*compile(spec, members))->owner(*pgtypes::key_from_text(KeyType::kText, text, scratch));
  spec.key_type = KeyType::kUuid;
  const auto as_uuid =
      (*compile(spec, members))->owner(*pgtypes::key_from_text(KeyType::kUuid, text, scratch));
  EXPECT_EQ(*as_text_key, *as_uuid);
}

}  // namespace
}  // namespace sherd::strategy
