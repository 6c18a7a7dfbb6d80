#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include <sherd/base/error.hpp>
#include <sherd/strategy/placement.hpp>

#include "layout.hpp"
#include "roster.hpp"

// One row per strategy: all that tells one from another. placement.cpp looks rows up, nothing
// dispatches elsewhere.

namespace sherd::strategy {

using PlacementPtr = std::shared_ptr<const Placement>;

struct KindRow {
  StrategyKind kind;
  std::string_view name;
  /// date, timestamps and numeric too.
  bool takes_ordered_keys;
  Result<PlacementPtr> (*compile)(const StrategySpec&, const Roster&);
  /// `reader` stands behind the first line's words, which are `head`.
  Result<PlacementPtr> (*read)(
      const StrategySpec&, const Roster&, const std::vector<std::string>& head, LayoutReader& reader
  );
  Result<PlacementPtr> (*rebalance)(const Placement& current, const Roster&);
  /// Both placements are of this kind and have equal key types.
  Result<std::vector<Move>> (*difference)(const Placement& before, const Placement& after);
  Result<PlacementPtr> (*apply)(const Placement& current, std::span<const Move>, const Roster&);
  /// Ignores `except`.
  Result<RegionFilter> (*filter)(const StrategySpec&, const Region&);
};

[[nodiscard]] const KindRow& row_of(StrategyKind kind) noexcept;

extern const KindRow kHashRow;
extern const KindRow kConsistentHashRow;
extern const KindRow kRangeRow;
extern const KindRow kGeographicRow;
extern const KindRow kSlotRow;
extern const KindRow kDirectoryRow;

/// What `rebalance` is for kinds whose placement does not remember anything: a fresh compile.
[[nodiscard]] Result<PlacementPtr> compile_again(const Placement& current, const Roster& roster);
/// Refuses a region of another kind than `kind`.
[[nodiscard]] Result<> expect_kind(const Region& region, RegionKind kind);
/// Parses a key of `type` and keeps it. kInvalidConfig if it is none. @param user  "range of
/// shard1".
[[nodiscard]] Result<pgtypes::OwnedKey> declared_key(
    pgtypes::KeyType type, std::string_view text, std::string_view user
);
/// `key` for people: "42", "'a''b'", at most some 60 characters.
[[nodiscard]] std::string printed(const pgtypes::Key& key);

}  // namespace sherd::strategy
