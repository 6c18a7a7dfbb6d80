#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "digest.hpp"
#include "kinds.hpp"

namespace sherd::strategy {

/// A point of the ring: it owns the arc from the point before it (not included) to itself.
struct RingPoint {
  Digest at{};
  ShardId owner{};
};

/// The shards that points are made of. Kept apart from the owners, as moves change owners but not
/// what the ring was made of.
struct RingSource {
  std::string name;
  std::uint32_t points = 0;
};

/// Points sorted by digest, without doubles; never empty.
using Ring = std::vector<RingPoint>;

class RingPlacement final : public Placement {
 public:
  RingPlacement(
      const StrategySpec& spec, const Roster& roster, std::vector<RingSource> sources, Ring ring
  );

  [[nodiscard]] std::optional<ShardId> try_owner(const pgtypes::Key& key) const noexcept override;
  [[nodiscard]] std::string explain(const pgtypes::Key& key) const override;
  [[nodiscard]] std::string layout() const override;
  [[nodiscard]] const Ring& ring() const noexcept { return ring_; }
  [[nodiscard]] const std::vector<RingSource>& sources() const noexcept { return sources_; }
  /// Index of the first point >= `digest`, 0 past the last. Cost: O(1) expected.
  [[nodiscard]] std::size_t position(const Digest& digest) const noexcept;

 private:
  Ring ring_;
  std::vector<RingSource> sources_;
  HashFunction hash_;
  // The look-up touches the high words only, by buckets of their top bits: first point of each
  // bucket.
  std::vector<std::uint64_t> high_words_;
  std::vector<std::uint32_t> bucket_starts_;
  unsigned bucket_shift_;
};

}  // namespace sherd::strategy
