#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include <sherd/pgtypes/key.hpp>
#include <sherd/strategy/placement.hpp>

#include "keygen.hpp"

// For tests: clusters, specifications and keys made from a seed.

namespace sherd::strategy::generated {

using pgtypes::Key;
using pgtypes::KeyType;
using pgtypes::OwnedKey;
using testing::KeyGenerator;

inline std::vector<Member> members(KeyGenerator& random, std::size_t count) {
  constexpr std::array kWeights = {1.0, 1.0, 1.0, 2.0, 0.5, 3.0};
  std::vector<Member> made;
  for (std::size_t i = 0; i < count; ++i) {
    made.push_back({
        .id = ShardId(static_cast<std::uint32_t>(i * 7 % 101)),
        .name = fmt::format("shard {}", i + 1),
        .weight = kWeights[random.below(kWeights.size())],
        .region = fmt::format("r{}", i),
    });
  }
  return made;
}

inline KeyType key_type(KeyGenerator& random, StrategyKind kind) {
  constexpr std::array kAll = {KeyType::kInt2, KeyType::kInt4,      KeyType::kInt8,
                               KeyType::kText, KeyType::kVarchar,   KeyType::kUuid,
                               KeyType::kDate, KeyType::kTimestamp, KeyType::kNumeric};
  return kAll[random.below(kind == StrategyKind::kRange ? kAll.size() : 6)];
}

inline std::string key_text(KeyGenerator& random, KeyType type) {
  switch (type) {
    case KeyType::kInt2:
    case KeyType::kInt4:
    case KeyType::kInt8:
      return std::to_string(
          random.below(2) == 0 ? random.integer(16) : static_cast<std::int64_t>(random.below(60))
      );
    case KeyType::kUuid:
      return random.uuid();
    case KeyType::kDate:
      return fmt::format(
          "20{:02}-{:02}-{:02}", random.below(30), 1 + random.below(12), 1 + random.below(28)
      );
    case KeyType::kTimestamp:
      return fmt::format("20{:02}-01-01 00:00:{:02}", random.below(30), random.below(60));
    case KeyType::kNumeric:
      return fmt::format("{}.{}", random.integer(8), random.below(20));
    default:
      return random.below(3) == 0 ? fmt::format("r{}", random.below(12))
                                  : random.text().substr(0, random.below(4));
  }
}

// Text cut in the middle of a character is no matter to us: keys are bytes.
inline OwnedKey key(KeyGenerator& random, KeyType type) {
  std::string scratch;
  const std::string text = key_text(random, type);
  return OwnedKey(*pgtypes::key_from_text(type, text, scratch));
}

// Sorted random keys cut the line; neighbours go to random shards. Gapless where the type has
// neighbours.
inline std::vector<RangeSpec> ranges(
    KeyGenerator& random, KeyType type, const std::vector<Member>& members
) {
  const auto before = [](const OwnedKey& a, const OwnedKey& b) {
    return pgtypes::compare(a.get(), b.get()) < 0;
  };
  std::set<OwnedKey, decltype(before)> cuts(before);
  for (std::uint64_t left = random.below(6); left > 0; --left) {
    cuts.insert(key(random, type));
  }
  const auto shard = [&] { return members[random.below(members.size())].name; };
  std::vector<RangeSpec> ranges{{.shard = shard()}};
  std::string scratch;
  for (const OwnedKey& cut : cuts) {
    const std::string text(pgtypes::canonical_text(cut.get(), scratch));
    const bool is_text = pgtypes::is_text(type);
    if (!is_text && !pgtypes::is_integer(type) && type != KeyType::kDate) {
      break;  // one range for all: no neighbours that are easy to write
    }
    std::string next = text + '\x01';
    if (pgtypes::is_integer(type)) {
      if (cut.get().integer >= INT16_MAX) {
        break;
      }
      next = std::to_string(cut.get().integer + 1);
    } else if (type == KeyType::kDate) {
      Key tomorrow = cut.get();
      ++tomorrow.integer;
      next = std::string(pgtypes::canonical_text(tomorrow, scratch));
    }
    ranges.back().high = text;
    ranges.push_back({.shard = shard(), .low = next});
  }
  return ranges;
}

inline StrategySpec spec(
    KeyGenerator& random, StrategyKind kind, KeyType type, const std::vector<Member>& members
) {
  StrategySpec made{.kind = kind, .key_type = type};
  made.hash = type == KeyType::kInt4 ? HashFunction::kSha256 : HashFunction::kMd5;
  made.virtual_nodes_per_shard = 2 + static_cast<std::uint32_t>(random.below(20));
  made.slots = 256;
  made.ranges = ranges(random, type, members);
  made.default_region = members[random.below(members.size())].region;
  for (std::uint64_t left = random.below(10); left > 0; --left) {
    std::string scratch;
    const OwnedKey named = key(random, type);
    const std::string text(pgtypes::canonical_text(named.get(), scratch));
    made.region_mapping[text] = members[random.below(members.size())].region;
    made.pins[text] = members[random.below(members.size())].name;
  }
  if (kind == StrategyKind::kDirectory) {
    constexpr std::array kFallbacks = {
        StrategyKind::kHash, StrategyKind::kConsistentHash, StrategyKind::kRange,
        StrategyKind::kGeographic, StrategyKind::kSlot
    };
    made.fallback = std::make_shared<const StrategySpec>(
        spec(random, kFallbacks[members.size() % kFallbacks.size()], type, members)
    );
  }
  return made;
}

}  // namespace sherd::strategy::generated
