#pragma once

#include <cstdint>
#include <functional>
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

enum class StrategyKind : std::uint8_t {
  kHash,
  kConsistentHash,
  kRange,
  kGeographic,
  kSlot,
  kDirectory
};
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

/// What an operator declared: enough, with the members, to compile the placement. A plain value;
/// kept in the catalog.
struct StrategySpec {
  StrategyKind kind = StrategyKind::kSlot;
  pgtypes::KeyType key_type = pgtypes::KeyType::kInt8;
  HashFunction hash = HashFunction::kMd5;               // hash, consistent_hash
  std::uint32_t virtual_nodes_per_shard = 150;          // consistent_hash
  std::uint32_t slots = 4096;                           // slot: a power of two, 1..65536
  std::vector<RangeSpec> ranges{};                      // range
  bool allow_gaps = false;                              // range
  std::map<std::string, std::string> region_mapping{};  // geographic: value -> region
  std::optional<std::string> default_region{};          // geographic
  std::map<std::string, std::string> pins{};            // directory: canonical key -> shard name
  std::shared_ptr<const StrategySpec> fallback{};       // directory
};

/// A bounded or half-open range of keys, for range predicates.
struct KeyRange {
  std::optional<pgtypes::Key> low{};
  bool low_inclusive = true;
  std::optional<pgtypes::Key> high{};
  bool high_inclusive = true;
};

/// What the bounds of a region are bounds of.
enum class RegionKind : std::uint8_t {
  kSlots,  // slot: slots low..high (decimal, inclusive) of `modulus`
  kParts,  // hash: parts low..high (decimal, inclusive) of the digest modulo `modulus`
  kArc,  // consistent_hash: digests in (low, high], hex; low >= high wraps over the top of the ring
  kInterval,  // range: keys in [low, high], canonical text; see open_low, open_high
  kKeys,      // exactly `keys`
  kRest,      // every key
};

/// A set of points that changes hands. Printable: "slots 0-1023", "[100, 200]", "region eu", "key
/// 42". In all kinds the keys of `except` are outside the region. See `region_filter`.
struct Region {
  std::string description;
  // slot: slots [low, high]; ring: (low, high] digests in hex; range: keys; others by name.
  std::string low{};
  std::string high{};
  RegionKind kind = RegionKind::kSlots;
  std::uint32_t modulus = 0;
  bool open_low = false;              // kInterval: no lower bound (low is "")
  bool open_high = false;             // kInterval: no upper bound (high is "")
  std::vector<std::string> keys{};    // canonical texts, sorted
  std::vector<std::string> except{};  // canonical texts, sorted
  friend bool operator==(const Region&, const Region&) = default;
};

struct Move {
  Region region;
  ShardId source{};
  ShardId target{};
};

/// The sorted map from points to shards that a strategy compiles to. Immutable; shared between
/// threads.
class Placement {
 public:
  virtual ~Placement() = default;
  Placement(const Placement&) = delete;
  Placement& operator=(const Placement&) = delete;

  /// The shard of `key`, or nullopt where it has none: `owner` says why. The fast path: no
  /// allocation for fixed-width keys and text, no Error in sight. Cost: some 10 ns (slot, range), a
  /// digest for the hash family.
  [[nodiscard]] virtual std::optional<ShardId> try_owner(const pgtypes::Key& key
  ) const noexcept = 0;
  /// The shard of `key`. kNoShardForKey for a key outside every range and an unknown region;
  /// kInternal for a key of another type than the placement's.
  [[nodiscard]] virtual Result<ShardId> owner(const pgtypes::Key& key) const;
  /// Adds every shard that may hold a key of `range` (a superset; exact for range placement, for
  /// one key, and for at most kEnumerableKeys integers). Text bounds are in byte order: use them
  /// for collation "C" only.
  virtual void add_owners(const KeyRange& range, ShardSet& out) const;
  /// Shards that own anything.
  [[nodiscard]] const ShardSet& shards() const noexcept { return shards_; }
  [[nodiscard]] const StrategySpec& spec() const noexcept { return spec_; }
  /// The members it was compiled over, sorted by name; also those that own nothing.
  [[nodiscard]] const std::vector<Member>& members() const noexcept { return members_; }
  /// A key's point and why it lives where it does, for `sherd route`: "slot 1234 of 4096 (slots
  /// 1024-2047)".
  [[nodiscard]] virtual std::string explain(const pgtypes::Key& key) const = 0;
  /// Who owns what, as text for the catalog: `compile(spec(), members, layout())` makes an equal
  /// placement, whatever members came or changed their weight meanwhile. UTF-8 lines, the first
  /// names the kind; shards by name.
  [[nodiscard]] virtual std::string layout() const = 0;

  static constexpr std::uint64_t kEnumerableKeys = 64;

 protected:
  Placement(StrategySpec spec, std::vector<Member> members, ShardSet shards)
      : spec_(std::move(spec)), members_(std::move(members)), shards_(std::move(shards)) {}
  /// Why `key` has no owner; called only when `try_owner` found none.
  [[nodiscard]] virtual Error no_owner(const pgtypes::Key& key) const;
  /// Adds the owners of a range that is one key, no key, or few integers. @return whether it was.
  [[nodiscard]] bool add_enumerated(const KeyRange& range, ShardSet& out) const;
  /// A key of the placement's own type, or of one that is equal in it (integers of any width; text
  /// and varchar).
  [[nodiscard]] bool fits(const pgtypes::Key& key) const noexcept {
    const pgtypes::KeyType own = spec_.key_type;
    return key.type == own || (pgtypes::is_integer(key.type) && pgtypes::is_integer(own))
           || (pgtypes::is_text(key.type) && pgtypes::is_text(own));
  }

 private:
  StrategySpec spec_;
  std::vector<Member> members_;
  ShardSet shards_;
};

/// Compiles `spec` over `members` (each weight > 0, names unique). kInvalidConfig, with the mend as
/// hint, for overlaps, gaps, unknown shards or regions, a key type that the strategy cannot take,
/// no members, …
[[nodiscard]] Result<std::shared_ptr<const Placement>> compile(
    const StrategySpec& spec, std::span<const Member> members
);

/// The same, but who owns what comes from `layout` (a placement's `layout()`) instead of `members`
/// and their weights: a shard that joins the cluster owns nothing until something is moved to it,
/// and one that owns nothing can leave. An empty layout is a fresh compile. kInvalidConfig for a
/// layout that is damaged, belongs to another spec, or names an owner that is no member.
[[nodiscard]] Result<std::shared_ptr<const Placement>> compile(
    const StrategySpec& spec, std::span<const Member> members, std::string_view layout
);

/// The placement over `members` that is balanced by weight and is reached from `current` with the
/// least movement. slot: each shard holds its share of the slots rounded down or up, and as few
/// slots move as that allows. Other kinds: what a fresh compile gives; directory: of its fallback,
/// with the pins kept. `members` may lack shards that own something: it is moved away.
/// kInvalidConfig as compile.
[[nodiscard]] Result<std::shared_ptr<const Placement>> rebalanced(
    const Placement& current, std::span<const Member> members
);

/// `current` after `moves` (made by `difference` from it, or any of them, in any order). For a
/// change that is made region by region. Sources are checked: kNotInPrerequisiteState when a region
/// is not wholly its source's.
[[nodiscard]] Result<std::shared_ptr<const Placement>> moved(
    const Placement& current, std::span<const Move> moves, std::span<const Member> members
);

/// Says of a key whether it lies in a region. Thread-safe; does not refer to the placement it was
/// made from.
using RegionFilter = std::function<bool(const pgtypes::Key&)>;

/// @return a test for keys of the placement's key type; kInvalidParameterValue for a region of
/// another kind or with
///         bounds that are none.
[[nodiscard]] Result<RegionFilter> region_filter(const StrategySpec& spec, const Region& region);

/// The moves that turn `before` into `after`: minimal (a point with the same owner in both is in
/// none), disjoint, and complete, sorted by region. kUnsupported when the two do not share a kind,
/// key type, hash function and number of slots, and when keys that have a shard before would have
/// none after.
[[nodiscard]] Result<std::vector<Move>> difference(const Placement& before, const Placement& after);

/// How many of `keys` each shard would hold; keys without a shard are not counted.
[[nodiscard]] std::map<ShardId, std::uint64_t> distribution(
    const Placement& placement, std::span<const pgtypes::Key> keys
);

}  // namespace sherd::strategy
