#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kinds.hpp"
#include "word_search.hpp"

namespace sherd::strategy {

/// Keys from low to high, both inclusive; an absent bound is open. A bound at the very end of the
/// type is absent.
struct Interval {
  std::optional<pgtypes::OwnedKey> low{};
  std::optional<pgtypes::OwnedKey> high{};
  ShardId owner{};
};

/// The key in its own order.
class RangePlacement final : public Placement {
 public:
  /// @param intervals  sorted, without overlaps, at least one.
  RangePlacement(const StrategySpec& spec, const Roster& roster, std::vector<Interval> intervals);

  [[nodiscard]] std::optional<ShardId> try_owner(const pgtypes::Key& key) const noexcept override;
  void add_owners(const KeyRange& range, ShardSet& out) const override;
  [[nodiscard]] std::string explain(const pgtypes::Key& key) const override;
  [[nodiscard]] std::string layout() const override;
  [[nodiscard]] const std::vector<Interval>& intervals() const noexcept { return intervals_; }

 protected:
  [[nodiscard]] Error no_owner(const pgtypes::Key& key) const override;

 private:
  // Index of the interval that holds `key`, or nothing.
  [[nodiscard]] std::optional<std::size_t> find(const pgtypes::Key& key) const noexcept;

  std::vector<Interval> intervals_;
  bool is_exact_;  // order words decide alone: integers and dates
  // Bounds as words that order like the keys (see order_word), apart, so that the search stays in
  // the cache.
  WordSearch lows_;
  std::vector<std::uint64_t> highs_;
  std::vector<ShardId> owners_;
};

}  // namespace sherd::strategy
