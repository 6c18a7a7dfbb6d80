// What each strategy promises by itself.

#include <cmath>
#include <limits>
#include <ostream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sherd/strategy/placement.hpp>

#include "apportion.hpp"
#include "generated_world.hpp"

namespace sherd::strategy {
namespace {

using generated::KeyGenerator;
using pgtypes::integer_key;
using pgtypes::Key;
using pgtypes::KeyType;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::uint64_t kSeed = testing::seed_or(23);

std::vector<Member> shards(std::size_t count) {
  std::vector<Member> made;
  for (std::size_t i = 0; i < count; ++i) {
    made.push_back(
        {.id = ShardId(static_cast<std::uint32_t>(i)), .name = fmt::format("shard{:04}", i)}
    );
  }
  return made;
}

std::size_t moved_slots(const std::vector<Move>& moves) {
  std::size_t count = 0;
  for (const Move& move : moves) {
    count += std::stoul(move.region.high) - std::stoul(move.region.low) + 1;
  }
  return count;
}

// ---- slot

// All ways to give each shard its exact share rounded down or up; the least number of slots that
// have to move.
std::size_t least_movement(
    const std::vector<double>& weights, const std::vector<std::size_t>& held, std::size_t total
) {
  double sum = 0;
  for (const double w : weights) {
    sum += w;
  }
  std::size_t best = total + 1;
  for (std::size_t choice = 0; choice < (std::size_t{1} << weights.size()); ++choice) {
    std::size_t given = 0;
    std::size_t moving = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const double exact = static_cast<double>(total) * weights[i] / sum;
      const bool up = ((choice >> i) & 1) != 0;
      const auto share =
          static_cast<std::size_t>(up ? std::ceil(exact - 1e-7) : std::floor(exact + 1e-7));
      given += share;
      moving += held[i] > share ? held[i] - share : 0;
    }
    if (given == total) {
      best = std::min(best, moving);
    }
  }
  return best;
}

// How many slots each shard owns, found out by keys.
std::map<ShardId, std::size_t> slots_held(const Placement& placement) {
  const std::uint32_t slots = placement.spec().slots;
  std::vector<std::optional<ShardId>> owners(slots);
  for (std::int64_t i = 0; i < 4000; ++i) {  // enough to meet each of 128 slots
    const Key key = integer_key(KeyType::kInt8, i);
    owners[pgtypes::partition_hash(key) & (slots - 1)] = placement.try_owner(key);
  }
  std::map<ShardId, std::size_t> held;
  for (const auto& owner : owners) {
    ++held[owner.value()];
  }
  return held;
}

// A shard joins, one leaves, or one weighs something else.
void change(KeyGenerator& random, std::vector<Member>& members, std::uint32_t new_id) {
  switch (random.below(3)) {
    case 0:
      members.push_back({.id = ShardId(new_id), .name = fmt::format("new {}", new_id)});
      break;
    case 1:
      if (members.size() > 1) {
        const auto at = static_cast<std::ptrdiff_t>(random.below(members.size()));
        members.erase(members.begin() + at);
      }
      break;
    default:
      members[random.below(members.size())].weight = 1 + static_cast<double>(random.below(40)) / 10;
  }
}

void expect_least_movement(
    const Placement& before, const Placement& after, const std::vector<Member>& members
) {
  const std::uint32_t slots = before.spec().slots;
  auto held = slots_held(before);
  auto holds = slots_held(after);
  std::vector<double> weights;
  std::vector<std::size_t> counts;
  double sum = 0;
  for (const Member& member : members) {
    weights.push_back(member.weight);
    counts.push_back(held[member.id]);
    held.erase(member.id);
    sum += member.weight;
  }
  std::size_t leaving = 0;
  for (const auto& [id, count] : held) {
    leaving += count;
  }
  const auto moves = difference(before, after);
  ASSERT_TRUE(moves.has_value());
  EXPECT_EQ(moved_slots(*moves), leaving + least_movement(weights, counts, slots));
  for (const Member& member : members) {
    const double exact = slots * member.weight / sum;
    EXPECT_LT(std::abs(static_cast<double>(holds[member.id]) - exact), 1.0);
  }
}

TEST(SlotPlacement, RebalancingMovesTheLeastNumberOfSlots) {
  KeyGenerator random(kSeed);
  std::uint32_t next_id = 1000;
  for (int round = 0; round < 300; ++round) {
    SCOPED_TRACE(fmt::format("seed {}, round {}", kSeed, round));
    auto members = generated::members(random, 1 + random.below(6));
    const StrategySpec spec{.slots = 1U << (4 + random.below(4))};
    auto current = *compile(spec, members);
    for (int step = 0; step < 4; ++step) {
      change(random, members, next_id++);
      const auto next = rebalanced(*current, members);
      ASSERT_TRUE(next.has_value()) << to_string(next.error());
      expect_least_movement(*current, **next, members);
      current = *next;
    }
  }
}

TEST(SlotPlacement, FreshLayoutIsContiguousRunsByName) {
  auto members = shards(4);
  members[0].weight = 2;
  const auto placement = compile({.slots = 4096}, members);
  ASSERT_TRUE(placement.has_value());
  EXPECT_EQ(
      (*placement)->layout(),
      "slot 4096\n0-1638 shard0000\n1639-2457 shard0001\n2458-3276 shard0002\n3277-4095 shard0003\n"
  );
}

TEST(SlotPlacement, RebalancingWithoutChangeMovesNothing) {
  auto members = shards(7);
  members[3].weight = 2.5;
  const auto placement = compile({}, members);
  EXPECT_EQ((*rebalanced(**placement, members))->layout(), (*placement)->layout());
}

TEST(SlotPlacement, ExplainNamesSlotAndRun) {
  const auto placement = compile({}, shards(4));
  const Key key = integer_key(KeyType::kInt8, 42);
  const auto slot = pgtypes::partition_hash(key) & 4095;
  EXPECT_EQ(
      (*placement)->explain(key),
      fmt::format(
          "slot {} of 4096 (slots {}-{})", slot, slot / 1024 * 1024, slot / 1024 * 1024 + 1023
      )
  );
}

TEST(SlotPlacement, SlotsMustBeAPowerOfTwo) {
  for (const std::uint32_t slots : {0U, 3U, 4095U, 131072U}) {
    const auto placement = compile({.slots = slots}, shards(2));
    ASSERT_FALSE(placement.has_value());
    EXPECT_EQ(placement.error().code, ErrorCode::kInvalidConfig);
  }
}

TEST(SlotPlacement, MoreShardsThanSlotsAreRefused) {
  EXPECT_EQ(compile({.slots = 4}, shards(5)).error().code, ErrorCode::kInvalidConfig);
}

// ---- distribution

struct Share {
  StrategyKind kind;
  double tolerance;  // relative
};

class Distribution : public ::testing::TestWithParam<Share> {};

TEST_P(Distribution, FollowsTheWeights) {
  KeyGenerator random(kSeed);
  constexpr std::size_t kKeys = 100'000;
  auto members = shards(5);
  members[1].weight = 2;
  members[2].weight = 0.5;
  const double sum = 5.5;
  std::vector<Key> keys;
  for (std::size_t i = 0; i < kKeys; ++i) {
    keys.push_back(integer_key(KeyType::kInt8, static_cast<std::int64_t>(i)));
  }
  const auto placement = compile({.kind = GetParam().kind}, members);
  ASSERT_TRUE(placement.has_value());
  const auto counts = distribution(**placement, keys);
  for (const Member& member : members) {
    const double expected = kKeys * member.weight / sum;
    EXPECT_NEAR(
        static_cast<double>(counts.at(member.id)), expected, expected * GetParam().tolerance
    ) << member.name;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, Distribution,
    ::testing::Values(
        Share{StrategyKind::kHash, 0.05}, Share{StrategyKind::kSlot, 0.05},
        Share{StrategyKind::kConsistentHash, 0.35}
    ),
    [](const auto& param) { return std::string(name_of(param.param.kind)); }
);

TEST(Distribution, KeysWithoutAShardAreNotCounted) {
  const auto placement = compile(
      {.kind = StrategyKind::kRange, .ranges = {{.shard = "shard0000", .low = "10", .high = "19"}}},
      shards(1)
  );
  std::vector<Key> keys;
  for (std::int64_t i = 0; i < 30; ++i) {
    keys.push_back(integer_key(KeyType::kInt8, i));
  }
  const auto counts = distribution(**placement, keys);
  EXPECT_EQ(counts.size(), 1U);
  EXPECT_EQ(counts.at(ShardId(0)), 10U);
}

// ---- ring

TEST(ConsistentHash, AddingAShardMovesOnlyToIt) {
  const auto before = compile({.kind = StrategyKind::kConsistentHash}, shards(6));
  const auto after = compile({.kind = StrategyKind::kConsistentHash}, shards(7));
  const auto moves = difference(**before, **after);
  ASSERT_TRUE(moves.has_value());
  EXPECT_FALSE(moves->empty());
  for (const Move& move : *moves) {
    EXPECT_EQ(move.target, ShardId(6));
  }
}

TEST(ConsistentHash, ShardWithoutPointsOwnsNothing) {
  auto members = shards(2);
  members[1].weight = 0.001;
  const auto placement = compile({.kind = StrategyKind::kConsistentHash}, members);
  ASSERT_TRUE(placement.has_value());
  EXPECT_FALSE((*placement)->shards().contains(ShardId(1)));
}

TEST(ConsistentHash, KeyOnAPointBelongsToThatPoint) {
  const auto placement =
      compile({.kind = StrategyKind::kConsistentHash, .key_type = KeyType::kText}, shards(40));
  for (std::uint32_t shard = 0; shard < 40; ++shard) {
    for (int i = 0; i < 150; ++i) {
      const std::string text = fmt::format("shard{:04}:vnode:{}", shard, i);
      EXPECT_EQ((*placement)->try_owner({.type = KeyType::kText, .text = text}), ShardId(shard));
    }
  }
}

// ---- hash

TEST(Hash, WeightsAreScaledToTheSmallestIntegers) {
  EXPECT_THAT(*smallest_integers(std::vector{1.0, 2.0, 0.5}, 100), ElementsAre(2, 4, 1));
  EXPECT_THAT(*smallest_integers(std::vector{0.1, 0.2, 0.3}, 100), ElementsAre(1, 2, 3));
  EXPECT_THAT(*smallest_integers(std::vector{1e15, 2e15}, 100), ElementsAre(1, 2));
  EXPECT_THAT(*smallest_integers(std::vector{7.0}, 100), ElementsAre(1));
  EXPECT_FALSE(smallest_integers(std::vector{1.0, 1.0 / 3}, 65536).has_value());
  EXPECT_FALSE(smallest_integers(std::vector{1e300, 1e-300}, 65536).has_value());
}

// ---- range

StrategySpec range_spec(std::vector<RangeSpec> ranges, KeyType type = KeyType::kInt8) {
  return {.kind = StrategyKind::kRange, .key_type = type, .ranges = std::move(ranges)};
}

struct BadRanges {
  std::string name;
  StrategySpec spec;
  std::string message;
  friend void PrintTo(const BadRanges& bad, std::ostream* out) { *out << bad.name; }
};

class RangeConfig : public ::testing::TestWithParam<BadRanges> {};

TEST_P(RangeConfig, MistakeIsAnErrorWithAHint) {
  const auto placement = compile(GetParam().spec, shards(3));
  ASSERT_FALSE(placement.has_value());
  EXPECT_EQ(placement.error().code, ErrorCode::kInvalidConfig);
  EXPECT_THAT(placement.error().message, HasSubstr(GetParam().message));
  EXPECT_FALSE(placement.error().hint.empty());
}

const std::string kA = "shard0000";
const std::string kB = "shard0001";

INSTANTIATE_TEST_SUITE_P(
    Cases, RangeConfig,
    ::testing::Values(
        BadRanges{"None", range_spec({}), "0 ranges"},
        BadRanges{"Gap", range_spec({{kA, "0", "9"}, {kB, "11", "20"}}), "gap"},
        BadRanges{"Overlap", range_spec({{kA, "0", "10"}, {kB, "10", "20"}}), "overlap"},
        BadRanges{"Inside", range_spec({{kA, "0", "100"}, {kB, "10", "20"}}), "overlap"},
        BadRanges{"TwoOpenBelow", range_spec({{kA, {}, "9"}, {kB, {}, "20"}}), "overlap"},
        BadRanges{"TwoOpenAbove", range_spec({{kA, "1", {}}, {kB, "5", {}}}), "overlap"},
        BadRanges{"AllTwice", range_spec({{kA, {}, {}}, {kB, {}, {}}}), "overlap"},
        BadRanges{"UpsideDown", range_spec({{kA, "9", "0"}}), "upside down"},
        BadRanges{"UnknownShard", range_spec({{"shard0007", "0", "9"}}), "does not exist"},
        BadRanges{"NotAKey", range_spec({{kA, "zero", "9"}}), "invalid input syntax"},
        BadRanges{
            "TooBigForType", range_spec({{kA, "0", "70000"}}, KeyType::kInt2), "out of range"
        },
        BadRanges{"TextGap", range_spec({{kA, {}, "m"}, {kB, "n", {}}}, KeyType::kText), "gap"},
        BadRanges{
            "NumericIsDense", range_spec({{kA, {}, "1"}, {kB, "2", {}}}, KeyType::kNumeric), "gap"
        }
    ),
    [](const auto& param) { return param.param.name; }
);

TEST(Range, GapsAreAllowedWhenDeclaredAndHoldNoKeys) {
  auto spec = range_spec({{kB, "20", {}}, {kA, "0", "9"}});
  spec.allow_gaps = true;
  const auto placement = compile(spec, shards(2));
  ASSERT_TRUE(placement.has_value()) << to_string(placement.error());
  EXPECT_EQ(*(*placement)->owner(integer_key(KeyType::kInt8, 9)), ShardId(0));
  EXPECT_EQ(*(*placement)->owner(integer_key(KeyType::kInt8, 20)), ShardId(1));
  EXPECT_EQ(*(*placement)->owner(integer_key(KeyType::kInt8, INT64_MAX)), ShardId(1));
  for (const std::int64_t outside :
       {INT64_MIN, std::int64_t{-1}, std::int64_t{10}, std::int64_t{19}}) {
    const auto owner = (*placement)->owner(integer_key(KeyType::kInt8, outside));
    ASSERT_FALSE(owner.has_value());
    EXPECT_EQ(owner.error().code, ErrorCode::kNoShardForKey);
  }
}

TEST(Range, OwnersOfAKeyRangeAreExact) {
  KeyGenerator random(kSeed);
  for (int round = 0; round < 400; ++round) {
    const auto members = shards(4);
    StrategySpec spec = range_spec({});
    spec.allow_gaps = true;
    for (std::int64_t at = -20; at < 40;) {
      const std::int64_t low = at + static_cast<std::int64_t>(random.below(4));
      const std::int64_t high = low + static_cast<std::int64_t>(random.below(12));
      spec.ranges.push_back(
          {members[random.below(4)].name, std::to_string(low), std::to_string(high)}
      );
      at = high + 1;
    }
    const auto placement = compile(spec, members);
    ASSERT_TRUE(placement.has_value()) << to_string(placement.error());
    KeyRange range{.low_inclusive = random.below(2) == 0, .high_inclusive = random.below(2) == 0};
    const std::int64_t low = static_cast<std::int64_t>(random.below(90)) - 30;
    const std::int64_t high = low + static_cast<std::int64_t>(random.below(20)) - 2;
    range.low = integer_key(KeyType::kInt8, low);
    range.high = integer_key(KeyType::kInt8, high);
    ShardSet expected;
    for (std::int64_t k = range.low_inclusive ? low : low + 1;
         range.high_inclusive ? k <= high : k < high; ++k) {
      if (const auto owner = (*placement)->try_owner(integer_key(KeyType::kInt8, k))) {
        expected.add(*owner);
      }
    }
    ShardSet found;
    (*placement)->add_owners(range, found);
    EXPECT_EQ(found.to_vector(), expected.to_vector()) << low << " to " << high << "\n"
                                                       << (*placement)->layout();
  }
}

TEST(Range, ManyTextsWithOneBeginningAreToldApart) {
  StrategySpec spec = range_spec({}, KeyType::kText);
  spec.allow_gaps = true;
  const auto members = shards(50);
  for (int i = 0; i < 50; ++i) {
    spec.ranges.push_back(
        {members[static_cast<std::size_t>(i)].name, fmt::format("customer-{:03}0", i),
         fmt::format("customer-{:03}9", i)}
    );
  }
  const auto placement = compile(spec, members);
  ASSERT_TRUE(placement.has_value());
  for (std::uint32_t i = 0; i < 50; ++i) {
    const std::string inside = fmt::format("customer-{:03}5", i);
    const std::string outside = fmt::format("customer-{:03}95", i);
    EXPECT_EQ((*placement)->try_owner({.type = KeyType::kText, .text = inside}), ShardId(i));
    EXPECT_EQ((*placement)->try_owner({.type = KeyType::kText, .text = outside}), std::nullopt);
  }
}

TEST(Range, ShrinkingUnderKeysIsNoMove) {
  const auto before = compile(range_spec({{kA, "0", "100"}}), shards(2));
  const auto after = compile(range_spec({{kB, "0", "50"}}), shards(2));
  const auto moves = difference(**before, **after);
  ASSERT_FALSE(moves.has_value());
  EXPECT_EQ(moves.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(moves.error().message, HasSubstr("51"));
}

TEST(Range, MoveIsTheSmallestInterval) {
  const auto before = compile(range_spec({{kA, {}, "100"}, {kB, "101", {}}}), shards(2));
  const auto after = compile(range_spec({{kA, {}, "50"}, {kB, "51", {}}}), shards(2));
  const auto moves = difference(**before, **after);
  ASSERT_TRUE(moves.has_value());
  ASSERT_EQ(moves->size(), 1U);
  EXPECT_EQ(moves->front().region.description, "[51, 100]");
  EXPECT_EQ(moves->front().source, ShardId(0));
  EXPECT_EQ(moves->front().target, ShardId(1));
}

TEST(Range, NeighboursThatMoveAlikeAreOneMove) {
  const auto before = compile(range_spec({{kA, "0", "9"}, {kA, "10", "19"}}), shards(2));
  const auto after = compile(range_spec({{kB, "0", "4"}, {kB, "5", "19"}}), shards(2));
  const auto moves = difference(**before, **after);
  ASSERT_TRUE(moves.has_value());
  ASSERT_EQ(moves->size(), 1U);
  EXPECT_EQ(moves->front().region.description, "[0, 19]");
}

// ---- geographic

std::vector<Member> in_regions() {
  auto members = shards(3);
  members[0].region = "eu";
  members[1].region = "us";
  return members;  // the third has none
}

TEST(Geographic, KeyIsARegionOrMappedToOne) {
  const StrategySpec spec{
      .kind = StrategyKind::kGeographic,
      .key_type = KeyType::kText,
      .region_mapping = {{"DE", "eu"}, {"CA", "us"}, {"us", "eu"}},
  };
  const auto placement = compile(spec, in_regions());
  ASSERT_TRUE(placement.has_value()) << to_string(placement.error());
  const auto owner = [&](std::string_view text) {
    return (*placement)->try_owner({.type = KeyType::kText, .text = text});
  };
  EXPECT_EQ(owner("eu"), ShardId(0));
  EXPECT_EQ(owner("DE"), ShardId(0));
  EXPECT_EQ(owner("CA"), ShardId(1));
  EXPECT_EQ(owner("us"), ShardId(0));  // the mapping goes first
  EXPECT_EQ(owner("de"), std::nullopt);
}

TEST(Geographic, UnknownRegionIsAnErrorWithoutADefault) {
  StrategySpec spec{.kind = StrategyKind::kGeographic, .key_type = KeyType::kText};
  const Key unknown{.type = KeyType::kText, .text = "mars"};
  const auto strict = (*compile(spec, in_regions()))->owner(unknown);
  ASSERT_FALSE(strict.has_value());
  EXPECT_EQ(strict.error().code, ErrorCode::kNoShardForKey);
  spec.default_region = "us";
  EXPECT_EQ(*(*compile(spec, in_regions()))->owner(unknown), ShardId(1));
}

TEST(Geographic, MistakesAreErrors) {
  StrategySpec spec{.kind = StrategyKind::kGeographic, .key_type = KeyType::kText};
  EXPECT_FALSE(compile(spec, shards(2)).has_value());  // no regions at all
  spec.default_region = "asia";
  EXPECT_FALSE(compile(spec, in_regions()).has_value());
  spec.default_region.reset();
  spec.region_mapping = {{"JP", "asia"}};
  EXPECT_FALSE(compile(spec, in_regions()).has_value());
  auto doubled = in_regions();
  doubled[2].region = "eu";
  EXPECT_FALSE(
      compile({.kind = StrategyKind::kGeographic, .key_type = KeyType::kText}, doubled).has_value()
  );
  StrategySpec numbers{
      .kind = StrategyKind::kGeographic, .region_mapping = {{"1", "eu"}, {" 1", "us"}}
  };
  EXPECT_FALSE(compile(numbers, in_regions()).has_value());  // one value, two regions
}

// ---- directory

TEST(Directory, PinGoesBeforeTheFallback) {
  StrategySpec spec{.kind = StrategyKind::kDirectory, .pins = {{"42", "shard0003"}}};
  spec.fallback = std::make_shared<const StrategySpec>(StrategySpec{.kind = StrategyKind::kSlot});
  const auto placement = compile(spec, shards(4));
  const auto fallback = compile(*spec.fallback, shards(4));
  ASSERT_TRUE(placement.has_value()) << to_string(placement.error());
  for (std::int64_t k = 0; k < 100; ++k) {
    const Key key = integer_key(KeyType::kInt8, k);
    EXPECT_EQ(*(*placement)->owner(key), k == 42 ? ShardId(3) : *(*fallback)->owner(key));
  }
  EXPECT_EQ((*placement)->explain(integer_key(KeyType::kInt8, 42)), "key 42 is pinned");
}

TEST(Directory, MistakesAreErrors) {
  StrategySpec spec{.kind = StrategyKind::kDirectory};
  EXPECT_FALSE(compile(spec, shards(2)).has_value());  // no fallback
  spec.fallback = std::make_shared<const StrategySpec>(StrategySpec{.key_type = KeyType::kText});
  EXPECT_FALSE(compile(spec, shards(2)).has_value());  // another key type
  spec.fallback =
      std::make_shared<const StrategySpec>(StrategySpec{.kind = StrategyKind::kDirectory});
  EXPECT_FALSE(compile(spec, shards(2)).has_value());
  spec.fallback = std::make_shared<const StrategySpec>(StrategySpec{});
  spec.pins = {{"1", "nowhere"}};
  EXPECT_FALSE(compile(spec, shards(2)).has_value());
  spec.pins = {{"1", "shard0000"}, {"01", "shard0001"}};
  EXPECT_FALSE(compile(spec, shards(2)).has_value());
}

TEST(Directory, ShardWithPinsCannotBeRebalancedAway) {
  StrategySpec spec{.kind = StrategyKind::kDirectory, .pins = {{"42", "shard0003"}}};
  spec.fallback = std::make_shared<const StrategySpec>(StrategySpec{});
  const auto placement = compile(spec, shards(4));
  EXPECT_EQ(rebalanced(**placement, shards(3)).error().code, ErrorCode::kInvalidConfig);
}

// ---- all

TEST(Placement, MembersMustBeSound) {
  const auto bad = [](std::vector<Member> members) {
    const auto placement = compile({}, members);
    return !placement && placement.error().code == ErrorCode::kInvalidConfig;
  };
  EXPECT_TRUE(bad({}));
  EXPECT_TRUE(bad({{.id = ShardId(1), .name = "a"}, {.id = ShardId(2), .name = "a"}}));
  EXPECT_TRUE(bad({{.id = ShardId(1), .name = "a"}, {.id = ShardId(1), .name = "b"}}));
  EXPECT_TRUE(bad({{.id = ShardId(1), .name = ""}}));
  EXPECT_TRUE(bad({{.id = ShardId(1), .name = "a\nb"}}));
  EXPECT_TRUE(bad({{.id = ShardId(1), .name = "a", .weight = 0}}));
  EXPECT_TRUE(bad({{.id = ShardId(1), .name = "a", .weight = -1}}));
  EXPECT_TRUE(
      bad({{.id = ShardId(1), .name = "a", .weight = std::numeric_limits<double>::infinity()}})
  );
  EXPECT_TRUE(
      bad({{.id = ShardId(1), .name = "a", .weight = std::numeric_limits<double>::quiet_NaN()}})
  );
}

TEST(Placement, OnlyRangesTakeDatesAndNumbers) {
  for (const auto kind :
       {StrategyKind::kHash, StrategyKind::kConsistentHash, StrategyKind::kGeographic,
        StrategyKind::kSlot}) {
    for (const auto type :
         {KeyType::kDate, KeyType::kTimestamp, KeyType::kTimestamptz, KeyType::kNumeric}) {
      const auto placement = compile({.kind = kind, .key_type = type}, in_regions());
      ASSERT_FALSE(placement.has_value());
      EXPECT_EQ(placement.error().code, ErrorCode::kInvalidConfig);
    }
  }
}

TEST(Placement, KeyOfAnotherTypeHasNoOwner) {
  const Key text{.type = KeyType::kText, .text = "1"};
  for (const auto kind :
       {StrategyKind::kHash, StrategyKind::kConsistentHash, StrategyKind::kSlot}) {
    const auto placement = compile({.kind = kind}, shards(2));
    EXPECT_EQ((*placement)->try_owner(text), std::nullopt);
    EXPECT_EQ((*placement)->owner(text).error().code, ErrorCode::kInternal);
    EXPECT_TRUE((*placement)->try_owner(integer_key(KeyType::kInt2, 1)).has_value());
  }
}

TEST(Placement, FewIntegersAreEnumeratedAndManyAreAllShards) {
  const auto placement = compile({}, shards(500));
  const auto owners = [&](std::int64_t low, std::int64_t high) {
    ShardSet set;
    (*placement)
        ->add_owners(
            {.low = integer_key(KeyType::kInt8, low), .high = integer_key(KeyType::kInt8, high)},
            set
        );
    return set.size();
  };
  EXPECT_EQ(owners(7, 7), 1U);
  EXPECT_LE(owners(1, 64), 64U);
  EXPECT_EQ(owners(1, 65), 500U);
  EXPECT_EQ(owners(INT64_MIN, INT64_MAX), 500U);
  EXPECT_LE(owners(INT64_MAX - 3, INT64_MAX), 4U);
  EXPECT_EQ(owners(2, 1), 0U);
}

TEST(Placement, NamesOfKindsAreReadBack) {
  for (const auto kind :
       {StrategyKind::kHash, StrategyKind::kConsistentHash, StrategyKind::kRange,
        StrategyKind::kGeographic, StrategyKind::kSlot, StrategyKind::kDirectory}) {
    EXPECT_EQ(kind_named(name_of(kind)), kind);
  }
  EXPECT_EQ(kind_named("modulo"), std::nullopt);
}

}  // namespace
}  // namespace sherd::strategy
