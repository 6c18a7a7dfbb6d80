#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sherd/base/error.hpp>
#include <sherd/base/ids.hpp>
#include <sherd/base/shard_set.hpp>
#include <sherd/pgtypes/key.hpp>

namespace sherd::strategy {

enum class StrategyKind : std::uint8_t { kHash, kConsistentHash, kRange, kGeographic, kSlot, kDirectory };
[[nodiscard]] std::string_view name_of(StrategyKind kind) noexcept;  // "consistent_hash"
[[nodiscard]] std::optional<StrategyKind> kind_named(std::string_view name) noexcept;

enum class HashFunction : std::uint8_t { kMd5, kSha256 };

/// A shard as strategies see it.
struct Member {
  ShardId id{};
  std::string name{};  // what ring points and sorted order are made from
  double weight = 1.0;
  std::string region{};
};

struct RangeSpec {
  std::string shard;
  std::optional<std::string> low{};   // inclusive, canonical text; none: open
  std::optional<std::string> high{};  // inclusive
};

/// What an operator declared: enough, with the members, to compile the placement. A plain value; kept in the catalog.
struct StrategySpec {
  StrategyKind kind = StrategyKind::kSlot;
  pgtypes::KeyType key_type = pgtypes::KeyType::kInt8;
  HashFunction hash = HashFunction::kMd5;            // hash, consistent_hash
  std::uint32_t virtual_nodes_per_shard = 150;       // consistent_hash
  std::uint32_t slots = 4096;                        // slot: a power of two, 1..65536
  std::vector<RangeSpec> ranges{};                   // range
  bool allow_gaps = false;                           // range
  std::map<std::string, std::string> region_mapping{};  // geographic: value -> region
  std::optional<std::string> default_region{};       // geographic
  std::map<std::string, std::string> pins{};         // directory: canonical key -> shard name
  std::shared_ptr<const StrategySpec> fallback{};    // directory
};

/// A bounded or half-open range of keys, for range predicates.
struct KeyRange {
  std::optional<pgtypes::Key> low{};
  bool low_inclusive = true;
  std::optional<pgtypes::Key> high{};
  bool high_inclusive = true;
};

/// A set of points that changes hands. Printable: "slots 0-1023", "[100, 200]", "region eu", "key 42".
struct Region {
  std::string description;
  // slot: slots [low, high]; ring: (low, high] digests in hex; range: keys; others by name.
  std::string low{};
  std::string high{};
  friend bool operator==(const Region&, const Region&) = default;
};

struct Move {
  Region region;
  ShardId source{};
  ShardId target{};
};

/// The sorted map from points to shards that a strategy compiles to. Immutable; shared between threads.
class Placement {
 public:
  virtual ~Placement() = default;

  /// The shard of `key`. kNoShardForKey for a key outside every range and an unknown region.
  /// Cost: no allocation for fixed-width keys.
  [[nodiscard]] virtual Result<ShardId> owner(const pgtypes::Key& key) const = 0;
  /// Adds every shard that may hold a key of `range` (a superset; exact for range placement).
  virtual void add_owners(const KeyRange& range, ShardSet& out) const;
  /// Shards that own anything.
  [[nodiscard]] const ShardSet& shards() const noexcept { return shards_; }
  [[nodiscard]] const StrategySpec& spec() const noexcept { return spec_; }
  /// A key's point and why it lives where it does, for `sherd route`: "slot 1234 of 4096 (slots 1024-2047)".
  [[nodiscard]] virtual std::string explain(const pgtypes::Key& key) const = 0;

 protected:
  Placement(StrategySpec spec, ShardSet shards) : spec_(std::move(spec)), shards_(std::move(shards)) {}

 private:
  StrategySpec spec_;
  ShardSet shards_;
};

/// Compiles `spec` over `members` (each weight > 0, names unique). kInvalidConfig, with the mend as hint, for
/// overlaps, gaps, unknown shards or regions, a key type that the strategy cannot take, no members, …
[[nodiscard]] Result<std::shared_ptr<const Placement>> compile(
    const StrategySpec& spec, std::span<const Member> members
);

/// The moves that turn `before` into `after`: minimal (a point with the same owner in both is in none), disjoint, and
/// complete. kUnsupported when the two do not share a kind and key type.
[[nodiscard]] Result<std::vector<Move>> difference(const Placement& before, const Placement& after);

/// How many of `keys` each shard would hold; keys without a shard are counted under none.
[[nodiscard]] std::map<ShardId, std::uint64_t> distribution(
    const Placement& placement, std::span<const pgtypes::Key> keys
);

}  // namespace sherd::strategy
