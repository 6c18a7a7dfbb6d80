// Properties of all strategies, over generated clusters and changes of them: moves are minimal,
// disjoint and complete, and layouts keep who owns what.

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <sherd/strategy/placement.hpp>

#include "generated_world.hpp"

namespace sherd::strategy {
namespace {

using generated::KeyGenerator;
using pgtypes::Key;
using pgtypes::KeyType;
using pgtypes::OwnedKey;
using PlacementPtr = std::shared_ptr<const Placement>;

const std::uint64_t kSeed = testing::seed_or(11);
constexpr int kRounds = 120;

struct Change {
  PlacementPtr before;
  PlacementPtr after;
  std::vector<Member> everyone;  // members before and after
  std::vector<OwnedKey> keys;
};

void add_bound_keys(const StrategySpec& spec, std::vector<OwnedKey>& keys) {
  std::string scratch;
  const auto add = [&](const std::string& text) {
    if (const auto key = pgtypes::key_from_text(spec.key_type, text, scratch)) {
      keys.emplace_back(*key);
    }
  };
  for (const RangeSpec& range : spec.ranges) {
    add(range.low.value_or(""));
    add(range.high.value_or(""));
  }
  for (const auto& [text, region] : spec.region_mapping) {
    add(text);
  }
  if (spec.fallback) {
    add_bound_keys(*spec.fallback, keys);
  }
}

// One shard more, one less, or other weights; and another spec of the same kind now and then.
Change change_of(KeyGenerator& random, StrategyKind kind) {
  Change change;
  const std::size_t count = 2 + random.below(5);
  change.everyone = generated::members(random, count + 1);
  std::vector<Member> old_members(change.everyone.begin(), change.everyone.end() - 1);
  std::vector<Member> new_members = change.everyone;
  if (random.below(2) == 0) {
    std::swap(old_members, new_members);
  }
  if (random.below(3) == 0) {
    new_members = old_members;
    new_members[0].weight = 4;
  }
  const bool fewer = new_members.size() < old_members.size();
  const KeyType type = generated::key_type(random, kind);
  const StrategySpec old_spec =
      generated::spec(random, kind, type, fewer ? new_members : old_members);
  StrategySpec new_spec = old_spec;
  if (random.below(2) == 0) {
    new_spec = generated::spec(random, kind, type, new_members);
    if (old_spec.fallback) {
      new_spec.fallback = old_spec.fallback;
    }
  }
  auto before = compile(old_spec, old_members);
  auto after = compile(new_spec, new_members);
  EXPECT_TRUE(before.has_value()) << to_string(before.error());
  EXPECT_TRUE(after.has_value()) << to_string(after.error());
  if (before && after) {
    change.before = *before;
    change.after =
        random.below(3) == 0 ? rebalanced(**before, new_members).value_or(*after) : *after;
  }
  for (int i = 0; i < 200; ++i) {
    change.keys.push_back(generated::key(random, type));
  }
  add_bound_keys(old_spec, change.keys);
  add_bound_keys(new_spec, change.keys);
  for (std::size_t i = 0; pgtypes::is_text(type) && i < 60; ++i) {
    // A text whose digest is a point of the ring itself.
    const std::string& name = change.everyone[random.below(change.everyone.size())].name;
    const std::string text = fmt::format("{}:vnode:{}", name, random.below(20));
    change.keys.emplace_back(Key{.type = type, .text = text});
  }
  return change;
}

std::string shown(const Key& key) {
  std::string scratch;
  return "key '" + std::string(pgtypes::canonical_text(key, scratch)) + "'";
}

void expect_same_owners(const Placement& a, const Placement& b, const std::vector<OwnedKey>& keys) {
  for (const OwnedKey& key : keys) {
    EXPECT_EQ(a.try_owner(key.get()), b.try_owner(key.get())) << shown(key.get());
  }
}

// For each key: in no move where its owner stays, in exactly one (with the right ends) where it
// changes.
void expect_exact(const Change& change, const std::vector<Move>& moves) {
  std::vector<RegionFilter> filters;
  for (const Move& move : moves) {
    const auto filter = region_filter(change.before->spec(), move.region);
    ASSERT_TRUE(filter.has_value()) << to_string(filter.error());
    filters.push_back(*filter);
  }
  for (const OwnedKey& owned : change.keys) {
    const Key key = owned.get();
    const auto source = change.before->try_owner(key);
    const auto target = change.after->try_owner(key);
    std::vector<std::size_t> holding;
    for (std::size_t i = 0; i < moves.size(); ++i) {
      if (filters[i](key)) {
        holding.push_back(i);
      }
    }
    if (!source || source == target) {
      EXPECT_TRUE(holding.empty()) << shown(key) << " in " << moves[holding[0]].region.description;
      continue;
    }
    ASSERT_EQ(holding.size(), 1U) << shown(key);
    EXPECT_EQ(moves[holding[0]].source, *source);
    EXPECT_EQ(moves[holding[0]].target, *target);
  }
}

class Differences : public ::testing::TestWithParam<StrategyKind> {};

TEST_P(Differences, MovesAreMinimalDisjointAndComplete) {
  KeyGenerator random(kSeed);
  int compared = 0;
  for (int round = 0; round < kRounds; ++round) {
    SCOPED_TRACE(fmt::format("seed {}, round {}", kSeed, round));
    const Change change = change_of(random, GetParam());
    ASSERT_TRUE(change.before && change.after);
    const auto moves = difference(*change.before, *change.after);
    if (!moves) {
      EXPECT_EQ(moves.error().code, ErrorCode::kUnsupported) << to_string(moves.error());
      continue;
    }
    ++compared;
    expect_exact(change, *moves);
  }
  EXPECT_GT(compared, kRounds / 2);
}

TEST_P(Differences, MovesAppliedInAnyOrderLeadFromBeforeToAfter) {
  KeyGenerator random(kSeed + 1);
  for (int round = 0; round < kRounds; ++round) {
    SCOPED_TRACE(fmt::format("seed {}, round {}", kSeed + 1, round));
    const Change change = change_of(random, GetParam());
    ASSERT_TRUE(change.before && change.after);
    auto moves = difference(*change.before, *change.after);
    if (!moves) {
      continue;
    }
    for (std::size_t i = moves->size(); i > 1; --i) {
      std::swap((*moves)[i - 1], (*moves)[random.below(i)]);
    }
    PlacementPtr current = change.before;
    for (const Move& move : *moves) {
      const auto next = moved(*current, {&move, 1}, change.everyone);
      ASSERT_TRUE(next.has_value()) << move.region.description << ": " << to_string(next.error());
      // What is half moved survives in the catalog.
      const auto read = compile(current->spec(), change.everyone, (*next)->layout());
      ASSERT_TRUE(read.has_value()) << to_string(read.error()) << "\n" << (*next)->layout();
      EXPECT_EQ((*read)->layout(), (*next)->layout());
      current = *read;
    }
    for (const OwnedKey& key : change.keys) {
      if (change.before->try_owner(key.get())) {
        EXPECT_EQ(current->try_owner(key.get()), change.after->try_owner(key.get()))
            << shown(key.get());
      }
    }
    const auto rest = difference(*current, *change.after);
    ASSERT_TRUE(rest.has_value()) << to_string(rest.error());
    EXPECT_TRUE(rest->empty()) << rest->front().region.description;
  }
}

TEST_P(Differences, MoveFromAnotherSourceIsRefused) {
  KeyGenerator random(kSeed + 2);
  int refused = 0;
  for (int round = 0; round < kRounds; ++round) {
    const Change change = change_of(random, GetParam());
    const auto moves = difference(*change.before, *change.after);
    if (!moves || moves->empty()) {
      continue;
    }
    Move wrong = moves->front();
    std::swap(wrong.source, wrong.target);
    const auto result = moved(*change.before, {&wrong, 1}, change.everyone);
    ASSERT_FALSE(result.has_value()) << wrong.region.description;
    EXPECT_EQ(result.error().code, ErrorCode::kNotInPrerequisiteState) << to_string(result.error());
    ++refused;
  }
  EXPECT_GT(refused, kRounds / 8);
}

TEST_P(Differences, LayoutKeepsOwnersWhateverMembersJoinOrWeigh) {
  KeyGenerator random(kSeed + 3);
  for (int round = 0; round < kRounds; ++round) {
    SCOPED_TRACE(fmt::format("seed {}, round {}", kSeed + 3, round));
    const Change change = change_of(random, GetParam());
    ASSERT_TRUE(change.before);
    std::vector<Member> members = change.everyone;
    members.push_back({.id = ShardId(500), .name = "a newcomer", .region = "far"});
    for (Member& member : members) {
      member.weight = 1 + static_cast<double>(random.below(5));
    }
    const auto read = compile(change.before->spec(), members, change.before->layout());
    ASSERT_TRUE(read.has_value()) << to_string(read.error());
    expect_same_owners(*change.before, **read, change.keys);
    EXPECT_EQ((*read)->shards(), change.before->shards());
    EXPECT_TRUE(difference(*change.before, **read)->empty());
    std::erase_if(members, [&](const Member& m) {
      return !change.before->shards().contains(m.id);
    });
    const auto without_idle = compile(change.before->spec(), members, change.before->layout());
    ASSERT_TRUE(without_idle.has_value()) << to_string(without_idle.error());
    expect_same_owners(*change.before, **without_idle, change.keys);
  }
}

TEST_P(Differences, DamagedLayoutIsAnErrorNotACrash) {
  KeyGenerator random(kSeed + 4);
  for (int round = 0; round < kRounds; ++round) {
    const Change change = change_of(random, GetParam());
    std::string layout = change.before->layout();
    for (std::uint64_t left = 1 + random.below(3); left > 0; --left) {
      const std::size_t at = random.below(layout.size());
      if (random.below(2) == 0) {
        layout.erase(at, 1 + random.below(10));
      } else {
        layout[at] = static_cast<char>(random.below(256));
      }
      if (layout.empty()) {
        layout = "?";
      }
    }
    const auto read = compile(change.before->spec(), change.everyone, layout);
    if (!read) {
      EXPECT_EQ(read.error().code, ErrorCode::kInvalidConfig) << to_string(read.error());
      EXPECT_FALSE(read.error().message.empty());
    }
  }
}

TEST_P(Differences, EveryOwnerIsAmongTheShards) {
  KeyGenerator random(kSeed + 5);
  for (int round = 0; round < kRounds; ++round) {
    const Change change = change_of(random, GetParam());
    for (const OwnedKey& key : change.keys) {
      const auto owner = change.after->try_owner(key.get());
      if (owner) {
        EXPECT_TRUE(change.after->shards().contains(*owner));
      }
      const auto result = change.after->owner(key.get());
      EXPECT_EQ(owner.has_value(), result.has_value());
      EXPECT_FALSE(change.after->explain(key.get()).empty());
    }
  }
}

TEST_P(Differences, RangeOfKeysIsCoveredByItsOwners) {
  KeyGenerator random(kSeed + 6);
  for (int round = 0; round < kRounds; ++round) {
    const Change change = change_of(random, GetParam());
    const Key a = change.keys[random.below(change.keys.size())].get();
    const Key b = change.keys[random.below(change.keys.size())].get();
    KeyRange range{.low_inclusive = random.below(2) == 0, .high_inclusive = random.below(2) == 0};
    if (random.below(5) != 0) {
      range.low = pgtypes::compare(a, b) < 0 ? a : b;
    }
    if (random.below(5) != 0) {
      range.high = pgtypes::compare(a, b) < 0 ? b : a;
    }
    ShardSet owners;
    change.after->add_owners(range, owners);
    for (const OwnedKey& owned : change.keys) {
      const Key key = owned.get();
      const auto low =
          range.low ? pgtypes::compare(key, *range.low) : std::strong_ordering::greater;
      const auto high =
          range.high ? pgtypes::compare(key, *range.high) : std::strong_ordering::less;
      const bool inside = (low > 0 || (low == 0 && range.low_inclusive))
                          && (high < 0 || (high == 0 && range.high_inclusive));
      const auto owner = change.after->try_owner(key);
      if (inside && owner) {
        EXPECT_TRUE(owners.contains(*owner)) << shown(key);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, Differences,
    ::testing::Values(
        StrategyKind::kHash, StrategyKind::kConsistentHash, StrategyKind::kRange,
        StrategyKind::kGeographic, StrategyKind::kSlot, StrategyKind::kDirectory
    ),
    [](const auto& param) { return std::string(name_of(param.param)); }
);

TEST(Difference, PlacementsOfDifferentKindsHaveNoMoves) {
  const std::vector<Member> members = {
      {.id = ShardId(1), .name = "a"}, {.id = ShardId(2), .name = "b"}
  };
  const auto slot = compile({.kind = StrategyKind::kSlot}, members);
  const auto hash = compile({.kind = StrategyKind::kHash}, members);
  const auto text = compile({.kind = StrategyKind::kSlot, .key_type = KeyType::kText}, members);
  EXPECT_EQ(difference(**slot, **hash).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(difference(**slot, **text).error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace sherd::strategy
