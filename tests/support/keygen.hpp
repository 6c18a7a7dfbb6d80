#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>

namespace sherd::testing {

/// `fixed`, or the number in the environment variable SHERD_SEED: for longer searches.
[[nodiscard]] inline std::uint64_t seed_or(std::uint64_t fixed) {
  const char* chosen = std::getenv("SHERD_SEED");
  return chosen == nullptr ? fixed : std::strtoull(chosen, nullptr, 10);
}

/// Generated keys, the same for the same seed: small and large integers, ends of types, texts with
/// awkward characters.
class KeyGenerator {
 public:
  explicit KeyGenerator(std::uint64_t seed) : random_(seed) {}

  [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

  /// Of `bits` bits, signed; now and then an end of the type or near zero.
  [[nodiscard]] std::int64_t integer(unsigned bits) {
    const std::int64_t top = static_cast<std::int64_t>(~std::uint64_t{0} >> (65 - bits));
    switch (below(8)) {
      case 0:
        return static_cast<std::int64_t>(below(20)) - 10;
      case 1:
        return below(2) == 0 ? top : -top - 1;
      case 2:
        return static_cast<std::int64_t>(below(100'000)) % (top + (top == INT64_MAX ? 0 : 1));
      default:
        return static_cast<std::int64_t>(random_()) >> (64 - bits);
    }
  }
  /// UTF-8 without NUL, up to 40 characters.
  [[nodiscard]] std::string text() {
    static constexpr std::array<std::string_view, 12> kOdd = {" ",  "'", "\"",   "\\", "{",    ",",
                                                              "\n", "ü", "日本", "😀", "\x01", "é"};
    std::string text;
    for (std::uint64_t left = below(40); left > 0; --left) {
      if (below(6) == 0) {
        text += kOdd[below(kOdd.size())];
      } else {
        text += static_cast<char>('a' + below(26));
      }
    }
    return text;
  }
  /// 32 lower-case hexadecimal digits with hyphens.
  [[nodiscard]] std::string uuid() {
    static constexpr std::string_view kHex = "0123456789abcdef";
    std::string text;
    for (int i = 0; i < 32; ++i) {
      if (i == 8 || i == 12 || i == 16 || i == 20) {
        text += '-';
      }
      text += kHex[below(16)];
    }
    return text;
  }

 private:
  std::mt19937_64 random_;
};

}  // namespace sherd::testing
