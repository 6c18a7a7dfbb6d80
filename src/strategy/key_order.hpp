#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>

#include <sherd/pgtypes/key.hpp>

// The order of keys seen as a line: neighbours, ends, and words that order like keys.

namespace sherd::strategy {

/// Integers, dates and timestamps: kept in Key::integer.
[[nodiscard]] constexpr bool is_integral(pgtypes::KeyType type) noexcept {
  using enum pgtypes::KeyType;
  return pgtypes::is_integer(type) || type == kDate || type == kTimestamp || type == kTimestamptz;
}

/// order_word(a) < order_word(b) implies a < b; equal words say nothing, except for integral keys,
/// where they mean equal keys.
[[nodiscard]] inline std::uint64_t order_word(const pgtypes::Key& key) noexcept {
  if (is_integral(key.type)) {
    return static_cast<std::uint64_t>(key.integer) ^ (std::uint64_t{1} << 63);
  }
  std::uint64_t word = 0;
  if (key.type == pgtypes::KeyType::kUuid) {
    std::memcpy(&word, key.uuid.data(), sizeof word);
  } else if (pgtypes::is_text(key.type) && !key.text.empty()) {
    std::memcpy(&word, key.text.data(), key.text.size() < 8 ? key.text.size() : 8);
  }
  return std::byteswap(word);  // numeric: 0
}

/// The key right after `key`: nothing lies between. nullopt at the end of the type, and for
/// numeric, which is dense. Text: the server's texts hold no NUL, so the next one ends in \x01.
[[nodiscard]] std::optional<pgtypes::OwnedKey> next_key(const pgtypes::Key& key);
/// The key whose next_key is `key`, if there is one.
[[nodiscard]] std::optional<pgtypes::OwnedKey> previous_key(const pgtypes::Key& key);
/// Nothing of `type` sorts before (after) `key`.
[[nodiscard]] bool is_first_key(pgtypes::KeyType type, const pgtypes::Key& key) noexcept;
[[nodiscard]] bool is_last_key(pgtypes::KeyType type, const pgtypes::Key& key) noexcept;

}  // namespace sherd::strategy
