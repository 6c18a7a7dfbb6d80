#pragma once

#include <span>
#include <string>
#include <vector>

#include "range_placement.hpp"

namespace sherd::strategy {

/// "[100, 200]", "(open, 'm']".
[[nodiscard]] std::string to_string(const Interval& interval);
[[nodiscard]] bool holds(const Interval& interval, const pgtypes::Key& key) noexcept;

/// Moves between two sorted lists without overlaps. kUnsupported where keys would lose their shard.
[[nodiscard]] Result<std::vector<Move>> range_moves(
    std::span<const Interval> before, std::span<const Interval> after
);
/// The bounds of a kInterval region.
[[nodiscard]] Result<Interval> bounds_of(const StrategySpec& spec, const Region& region);
/// The sorted intervals after one move.
[[nodiscard]] Result<std::vector<Interval>> with_move(
    const StrategySpec& spec, std::vector<Interval> intervals, const Move& move
);
/// Neighbours of one owner with nothing between them become one.
[[nodiscard]] std::vector<Interval> joined(std::vector<Interval> intervals);

}  // namespace sherd::strategy
