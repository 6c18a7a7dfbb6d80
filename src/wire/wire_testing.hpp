#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sherd/base/bytes.hpp>
#include <sherd/base/clock.hpp>

/// What the tests and fuzzers of this module share.
namespace sherd::wire::testing {

/// Repeatable bits.
class SeededRandom final : public RandomSource {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  [[nodiscard]] std::uint64_t next() override { return engine_(); }
  /// 0..below-1
  [[nodiscard]] std::size_t below(std::size_t bound) {
    return std::uniform_int_distribution<std::size_t>(0, bound - 1)(engine_);
  }
  [[nodiscard]] bool chance(int percent) { return below(100) < static_cast<std::size_t>(percent); }
  /// Text of 0..most characters of `alphabet`.
  [[nodiscard]] std::string text(std::size_t most, std::string_view alphabet) {
    std::string made(below(most + 1), ' ');
    for (char& c : made) {
      c = alphabet[below(alphabet.size())];
    }
    return made;
  }

 private:
  std::mt19937_64 engine_;
};

/// `bytes` in chunks of `size`, the last one shorter.
[[nodiscard]] inline std::vector<Bytes> cut_evenly(Bytes bytes, std::size_t size) {
  std::vector<Bytes> chunks;
  for (std::size_t at = 0; at < bytes.size(); at += size) {
    chunks.push_back(bytes.subspan(at, std::min(size, bytes.size() - at)));
  }
  return chunks;
}

/// `bytes` in two chunks (one may be empty).
[[nodiscard]] inline std::vector<Bytes> cut_at(Bytes bytes, std::size_t at) {
  return {bytes.first(at), bytes.subspan(at)};
}

/// `bytes` in chunks of 1..most bytes.
[[nodiscard]] inline std::vector<Bytes> cut_randomly(
    Bytes bytes, SeededRandom& random, std::size_t most
) {
  std::vector<Bytes> chunks;
  while (!bytes.empty()) {
    const std::size_t size = std::min(bytes.size(), 1 + random.below(most));
    chunks.push_back(bytes.first(size));
    bytes = bytes.subspan(size);
  }
  return chunks;
}

}  // namespace sherd::wire::testing
