#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace sherd::merge {

/// Finds the least of several heads again and again, with log2(n) comparisons after one of them has
/// changed. `before(a, b)`: head a comes before head b; a strict total order. Source: Knuth, TAOCP
/// vol. 3, sec. 5.4.1 (tree of losers).
class LoserTree {
 public:
  explicit LoserTree(std::size_t leaves) : leaves_(leaves), losers_(leaves, 0) {}

  /// Builds the tree anew: n - 1 comparisons.
  template <class Before>
  void build(Before&& before) {
    if (leaves_ > 0) {
      winner_ = play(1, before);
    }
  }
  [[nodiscard]] std::size_t winner() const noexcept { return winner_; }

  /// The winner's head has changed.
  template <class Before>
  void replay(Before&& before) {
    std::size_t contender = winner_;
    for (std::size_t node = (contender + leaves_) / 2; node > 0; node /= 2) {
      if (before(losers_[node], contender)) {
        std::swap(losers_[node], contender);
      }
    }
    winner_ = contender;
  }

 private:
  /// Plays the matches below `node`; node i has children 2i and 2i + 1, leaf j is node leaves_ + j.
  template <class Before>
  std::size_t play(std::size_t node, Before&& before) {
    if (node >= leaves_) {
      return node - leaves_;
    }
    const std::size_t left = play(2 * node, before);
    const std::size_t right = play(2 * node + 1, before);
    const bool left_wins = before(left, right);
    losers_[node] = left_wins ? right : left;
    return left_wins ? left : right;
  }

  std::size_t leaves_;
  std::size_t winner_ = 0;
  std::vector<std::size_t> losers_;  // losers_[0] is not used
};

}  // namespace sherd::merge
