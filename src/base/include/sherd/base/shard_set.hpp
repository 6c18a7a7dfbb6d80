#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <sherd/base/ids.hpp>

namespace sherd {

/// A set of shards as bits. Allocates nothing while every id is below 64. Not thread-safe.
class ShardSet {
 public:
  ShardSet() = default;

  void add(ShardId id) {
    const std::uint32_t bit = index_of(id);
    if (bit < 64) {
      first_ |= std::uint64_t{1} << bit;
      return;
    }
    if (rest_.size() < bit / 64) {
      rest_.resize(bit / 64);
    }
    rest_[bit / 64 - 1] |= std::uint64_t{1} << (bit % 64);
  }
  [[nodiscard]] bool contains(ShardId id) const noexcept {
    const std::uint32_t bit = index_of(id);
    return ((word(bit / 64) >> (bit % 64)) & 1) != 0;
  }
  [[nodiscard]] std::size_t size() const noexcept {
    auto count = static_cast<std::size_t>(std::popcount(first_));
    for (const std::uint64_t w : rest_) {
      count += static_cast<std::size_t>(std::popcount(w));
    }
    return count;
  }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  void unite(const ShardSet& other) {
    first_ |= other.first_;
    if (rest_.size() < other.rest_.size()) {
      rest_.resize(other.rest_.size());
    }
    for (std::size_t i = 0; i < other.rest_.size(); ++i) {
      rest_[i] |= other.rest_[i];
    }
  }
  void intersect(const ShardSet& other) noexcept {
    first_ &= other.first_;
    for (std::size_t i = 0; i < rest_.size(); ++i) {
      rest_[i] &= other.word(i + 1);
    }
  }
  /// Calls `visit(ShardId)` in ascending order.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (std::size_t i = 0; i <= rest_.size(); ++i) {
      for (std::uint64_t w = word(i); w != 0; w &= w - 1) {
        visit(ShardId(static_cast<std::uint32_t>(i * 64 + std::countr_zero(w))));
      }
    }
  }
  /// The members in ascending order.
  [[nodiscard]] std::vector<ShardId> to_vector() const {
    std::vector<ShardId> ids;
    for_each([&](ShardId id) { ids.push_back(id); });
    return ids;
  }
  [[nodiscard]] friend bool operator==(const ShardSet& a, const ShardSet& b) noexcept {
    const std::size_t words = a.rest_.size() > b.rest_.size() ? a.rest_.size() : b.rest_.size();
    for (std::size_t i = 0; i <= words; ++i) {
      if (a.word(i) != b.word(i)) {
        return false;
      }
    }
    return true;
  }

 private:
  [[nodiscard]] std::uint64_t word(std::size_t i) const noexcept {
    return i == 0 ? first_ : (i - 1 < rest_.size() ? rest_[i - 1] : 0);
  }

  std::uint64_t first_ = 0;
  std::vector<std::uint64_t> rest_;
};

}  // namespace sherd
