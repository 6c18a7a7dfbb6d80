#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sherd/pgtypes/key.hpp>

namespace sherd::strategy {

/// A map from keys of one type to values, for look-ups that allocate nothing. Open addressing, at
/// most half full.
template <class Value>
class KeyTable {
 public:
  struct Entry {
    pgtypes::OwnedKey key;
    Value value;
  };

  /// nullptr if there is none. Cost: O(1) expected.
  [[nodiscard]] const Value* find(const pgtypes::Key& key) const noexcept {
    if (entries_.empty()) {
      return nullptr;
    }
    const std::uint64_t hash = hash_of(key);
    for (std::uint64_t at = hash;; ++at) {
      const Cell& cell = cells_[at & mask_];
      if (cell.index == kFree) {
        return nullptr;
      }
      if (cell.tag == tag_of(hash) && pgtypes::equal(entries_[cell.index].key.get(), key)) {
        return &entries_[cell.index].value;
      }
    }
  }
  /// Inserts or replaces. @return whether the key was new.
  bool set(const pgtypes::Key& key, Value value) {
    if (Value* held = const_cast<Value*>(find(key))) {
      *held = std::move(value);
      return false;
    }
    entries_.push_back({pgtypes::OwnedKey(key), std::move(value)});
    if (entries_.size() * 2 > cells_.size()) {
      grow();
    } else {
      place(static_cast<std::uint32_t>(entries_.size() - 1));
    }
    return true;
  }
  /// In the order of insertion.
  [[nodiscard]] const std::vector<Entry>& entries() const noexcept { return entries_; }
  [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }

 private:
  static constexpr std::uint32_t kFree = ~std::uint32_t{0};
  struct Cell {
    std::uint32_t tag = 0;
    std::uint32_t index = kFree;
  };

  // Mixed so that low bits choose the cell and high bits make the tag.
  [[nodiscard]] static std::uint64_t hash_of(const pgtypes::Key& key) noexcept {
    std::uint64_t word = static_cast<std::uint64_t>(key.integer);
    if (key.type == pgtypes::KeyType::kUuid) {
      std::uint64_t low = 0;
      std::memcpy(&word, key.uuid.data(), sizeof word);
      std::memcpy(&low, key.uuid.data() + sizeof word, sizeof low);
      word ^= std::rotl(low * 0x9e3779b97f4a7c15U, 31);
    } else if (pgtypes::is_text(key.type) || key.type == pgtypes::KeyType::kNumeric) {
      word = std::hash<std::string_view>{}(key.text);
    }
    word *= 0x9e3779b97f4a7c15U;
    return word ^ (word >> 32);
  }
  [[nodiscard]] static std::uint32_t tag_of(std::uint64_t hash) noexcept {
    return static_cast<std::uint32_t>(hash >> 32);
  }
  void place(std::uint32_t index) {
    const std::uint64_t hash = hash_of(entries_[index].key.get());
    std::uint64_t at = hash;
    while (cells_[at & mask_].index != kFree) {
      ++at;
    }
    cells_[at & mask_] = {tag_of(hash), index};
  }
  void grow() {
    cells_.assign(std::bit_ceil(entries_.size() * 4), Cell{});
    mask_ = cells_.size() - 1;
    for (std::uint32_t i = 0; i < entries_.size(); ++i) {
      place(i);
    }
  }

  std::vector<Entry> entries_;
  std::vector<Cell> cells_;
  std::uint64_t mask_ = 0;
};

}  // namespace sherd::strategy
