#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace sherd::strategy {

/// Sorted 64-bit words that are searched without a branch that depends on them. A table over the
/// words' top bits narrows the search first, so that evenly spread words cost the same however many
/// they are.
class WordSearch {
 public:
  WordSearch() = default;
  /// @param words  sorted.
  explicit WordSearch(std::vector<std::uint64_t> words) : words_(std::move(words)) {
    if (words_.empty()) {
      return;
    }
    const unsigned bits =
        std::min(kMaxTableBits, static_cast<unsigned>(std::bit_width(words_.size())));
    const std::uint64_t spread = words_.back() - words_.front();
    shift_ = std::max(static_cast<int>(std::bit_width(spread)) - static_cast<int>(bits), 0);
    std::size_t next = 0;
    for (std::uint64_t cell = 0; cell <= spread >> shift_; ++cell) {
      starts_.push_back(static_cast<std::uint32_t>(next));
      while (next < words_.size() && (words_[next] - words_.front()) >> shift_ == cell) {
        ++next;
      }
      longest_ = std::max(longest_, next - starts_.back());
    }
    words_.resize(words_.size() + longest_, ~std::uint64_t{0});  // a search may look past the last
    count_ = next;
  }

  /// Number of words <= `word`. Cost: O(log of the fullest cell).
  [[nodiscard]] std::size_t count_up_to(std::uint64_t word) const noexcept {
    if (count_ == 0 || word < words_.front()) {
      return 0;
    }
    const std::uint64_t cell = std::min((word - words_.front()) >> shift_, starts_.size() - 1);
    const std::uint64_t* base = words_.data() + starts_[cell];
    for (std::size_t left = longest_; left > 1; left -= left / 2) {
      const std::size_t half = left / 2;
      base = __builtin_unpredictable(base[half - 1] <= word) ? base + half : base;
    }
    const auto found = static_cast<std::size_t>(base - words_.data()) + (*base <= word ? 1 : 0);
    return std::min(found, count_);
  }
  [[nodiscard]] std::size_t size() const noexcept { return count_; }

 private:
  static constexpr unsigned kMaxTableBits = 12;

  std::vector<std::uint64_t> words_{};   // and `longest_` more, the greatest there is
  std::vector<std::uint32_t> starts_{};  // the first word of each cell
  std::size_t count_ = 0;
  std::size_t longest_ = 1;  // words in the fullest cell
  int shift_ = 0;
};

}  // namespace sherd::strategy
