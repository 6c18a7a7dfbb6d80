#pragma once

#include <array>
#include <cstddef>

#include <sherd/base/bytes.hpp>

/// Private to the module.
namespace sherd::wire {

/// Position of the first byte at or behind `from` that is one of `wanted`; data.size() if there is
/// none. Written so that the compiler turns a block into a few vector comparisons.
template <std::size_t N>
[[nodiscard]] inline std::size_t find_any(
    Bytes data, std::size_t from, const std::array<char, N>& wanted
) noexcept {
  constexpr std::size_t kBlock = 16;
  const char* const bytes = as_text(data).data();
  std::size_t at = from;
  for (; at + kBlock <= data.size(); at += kBlock) {
    unsigned char hit = 0;
    for (std::size_t i = 0; i < kBlock; ++i) {
      for (const char c : wanted) {
        hit |= static_cast<unsigned char>(bytes[at + i] == c);
      }
    }
    if (hit != 0) {
      break;
    }
  }
  for (; at < data.size(); ++at) {
    for (const char c : wanted) {
      if (bytes[at] == c) {
        return at;
      }
    }
  }
  return data.size();
}

}  // namespace sherd::wire
