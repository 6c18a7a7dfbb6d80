#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <sherd/base/error.hpp>
#include <sherd/pgtypes/key.hpp>
#include <sherd/strategy/placement.hpp>

namespace sherd::strategy {

/// A digest as a number: words in order of weight, the highest first; md5 fills two of them.
struct Digest {
  std::array<std::uint64_t, 4> words{};
  friend auto operator<=>(const Digest&, const Digest&) = default;
};

[[nodiscard]] std::string_view name_of(HashFunction hash) noexcept;  // "md5"
[[nodiscard]] std::optional<HashFunction> hash_named(std::string_view name) noexcept;
[[nodiscard]] constexpr std::size_t words_of(HashFunction hash) noexcept {
  return hash == HashFunction::kMd5 ? 2 : 4;
}

/// kInvalidConfig where libcrypto does not offer `hash` (md5 under FIPS). After it said yes,
/// `digest_of` succeeds.
[[nodiscard]] Result<> check_available(HashFunction hash);
/// nullopt only where libcrypto refuses. Thread-safe; keeps one context per thread, so nothing is
/// allocated after a thread's first call. Cost: that of EVP, some 200 ns for short texts.
[[nodiscard]] std::optional<Digest> digest_of(HashFunction hash, std::string_view text) noexcept;
/// Of the key's canonical text.
[[nodiscard]] std::optional<Digest> digest_of(HashFunction hash, const pgtypes::Key& key) noexcept;

/// The big-endian number modulo `divisor`, 1..2^32-1.
[[nodiscard]] std::uint32_t modulo(
    const Digest& digest, HashFunction hash, std::uint32_t divisor
) noexcept;

/// Lower-case hex of the digest's full width.
[[nodiscard]] std::string to_hex(const Digest& digest, HashFunction hash);
[[nodiscard]] std::optional<Digest> digest_from_hex(
    std::string_view text, HashFunction hash
) noexcept;

}  // namespace sherd::strategy
