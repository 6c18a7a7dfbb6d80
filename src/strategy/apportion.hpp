#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <sherd/base/error.hpp>

namespace sherd::strategy {

/// Shares `total` things by `weights`: each share is its exact proportion rounded down or up, and
/// the sum is `total`. Among all such shares those that `held` needs the fewest things to move for:
/// who holds more than the lower share keeps one more first, then the largest remainder, then the
/// earlier.
/// @param weights  positive and finite, at least one.
/// @param held     how many each has now; as long as `weights` (all 0: a fresh start).
/// Cost: O(n log n). Source: the quota rule and the method of largest remainders (A. Hamilton).
[[nodiscard]] std::vector<std::uint32_t> apportion(
    std::uint32_t total, std::span<const double> weights, std::span<const std::uint32_t> held
);

/// The smallest integers in the same proportion as `weights` taken as decimal fractions: 1, 2, 0.5
/// are 2, 4, 1. kInvalidConfig where their sum would exceed `max_sum`.
[[nodiscard]] Result<std::vector<std::uint32_t>> smallest_integers(
    std::span<const double> weights, std::uint32_t max_sum
);

}  // namespace sherd::strategy
