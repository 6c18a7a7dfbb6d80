#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <sherd/base/bytes.hpp>

// PostgreSQL's hash functions with a 64-bit result (Bob Jenkins' lookup3 with a seed mixed in),
// little-endian. Their values are part of the on-disk format of hash-partitioned tables, so they do
// not change between versions. Source: src/common/hashfn.c;
// http://burtleburtle.net/bob/hash/doobs.html

namespace sherd::pgtypes::hashing {

/// Seed of hash partitioning (HASH_PARTITION_SEED).
inline constexpr std::uint64_t kPartitionSeed = 0x7A5B22367996DCFD;

struct State {
  std::uint32_t a;
  std::uint32_t b;
  std::uint32_t c;

  constexpr void mix() noexcept {
    a = (a - c) ^ std::rotl(c, 4), c += b;
    b = (b - a) ^ std::rotl(a, 6), a += c;
    c = (c - b) ^ std::rotl(b, 8), b += a;
    a = (a - c) ^ std::rotl(c, 16), c += b;
    b = (b - a) ^ std::rotl(a, 19), a += c;
    c = (c - b) ^ std::rotl(b, 4), b += a;
  }
  constexpr void finish() noexcept {
    c = (c ^ b) - std::rotl(b, 14);
    a = (a ^ c) - std::rotl(c, 11);
    b = (b ^ a) - std::rotl(a, 25);
    c = (c ^ b) - std::rotl(b, 16);
    a = (a ^ c) - std::rotl(c, 4);
    b = (b ^ a) - std::rotl(a, 14);
    c = (c ^ b) - std::rotl(b, 24);
  }
  [[nodiscard]] constexpr std::uint64_t result() const noexcept {
    return (std::uint64_t{b} << 32) | c;
  }
};

/// The state before the first byte of `size` bytes.
[[nodiscard]] constexpr State start(std::uint32_t size, std::uint64_t seed) noexcept {
  const std::uint32_t begin = 0x9e3779b9U + size + 3923095U;
  State state{begin, begin, begin};
  if (seed != 0) {
    state.a += static_cast<std::uint32_t>(seed >> 32);
    state.b += static_cast<std::uint32_t>(seed);
    state.mix();
  }
  return state;
}

/// hash_bytes_uint32_extended.
[[nodiscard]] constexpr std::uint64_t hash_uint32(
    std::uint32_t value, std::uint64_t seed
) noexcept {
  State state = start(sizeof value, seed);
  state.a += value;
  state.finish();
  return state.result();
}

/// hashint8extended; equal to hashint2extended and hashint4extended for values that fit those
/// types.
[[nodiscard]] constexpr std::uint64_t hash_int64(std::int64_t value, std::uint64_t seed) noexcept {
  const auto low = static_cast<std::uint32_t>(value);
  const auto high = static_cast<std::uint32_t>(static_cast<std::uint64_t>(value) >> 32);
  return hash_uint32(low ^ (value >= 0 ? high : ~high), seed);
}

[[nodiscard]] inline std::uint32_t load_le(const std::byte* from, std::size_t size) noexcept {
  std::uint32_t word = 0;
  std::memcpy(&word, from, size);
  return word;
}

/// hash_bytes_extended.
[[nodiscard]] inline std::uint64_t hash_bytes(Bytes bytes, std::uint64_t seed) noexcept {
  State state = start(static_cast<std::uint32_t>(bytes.size()), seed);
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 12; at += 12, left -= 12) {
    state.a += load_le(at, 4);
    state.b += load_le(at + 4, 4);
    state.c += load_le(at + 8, 4);
    state.mix();
  }
  if (left > 8) {
    state.c += load_le(at + 8, left - 8) << 8;  // the low byte of c belongs to the length
  }
  if (left > 4) {
    state.b += load_le(at + 4, left < 8 ? left - 4 : 4);
  }
  if (left > 0) {
    state.a += load_le(at, left < 4 ? left : 4);
  }
  state.finish();
  return state.result();
}

/// hash_combine64.
[[nodiscard]] constexpr std::uint64_t combine(std::uint64_t a, std::uint64_t b) noexcept {
  return a ^ (b + 0x49a0f4dd15e5a8e3U + (a << 54) + (a >> 7));
}

}  // namespace sherd::pgtypes::hashing
