#pragma once

#include <array>
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
  // A look-up reads one of these and nothing else in most cases: the bucket of the digest's top
  // bits. The digest of the first point in it decides between that point's owner and the next
  // one's, by the 31 bits below the top bits. Kept small, for the look-up waits for memory.
  struct Bucket {
    std::uint32_t middle : 31 = 0;
    std::uint32_t needs_search : 1 = 0;     // more than one point lies in it
    std::array<std::uint16_t, 2> owners{};  // places in ids_
  };
  void fill_buckets();
  [[nodiscard]] std::uint32_t middle_of(const Digest& digest) const noexcept {
    return static_cast<std::uint32_t>(digest.words[0] >> (bucket_shift_ - 31)) & 0x7fff'ffff;
  }
  [[nodiscard]] ShardId owner_of(const Digest& digest) const noexcept;

  std::vector<Bucket> buckets_;
  std::vector<std::uint32_t> bucket_starts_;  // the first point >= the lowest digest of the bucket
  std::vector<ShardId> ids_;                  // of the owners
  unsigned bucket_shift_ = 63;                // 41 or more
};

}  // namespace sherd::strategy
