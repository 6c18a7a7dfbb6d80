#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sherd::sql {

/// Remembers values by text, within a bound of bytes; the least recently used entry goes first.
/// Not thread-safe: one per worker. Pointers to values hold until the next insert, erase or clear.
/// Cost: find, insert and each eviction O(1); find allocates nothing.
template <class V>
class BoundedCache {
 public:
  explicit BoundedCache(std::size_t limit_bytes) : limit_bytes_(limit_bytes) {}

  /// @param hash  of `key`, by whatever function the caller uses everywhere (Lifted::hash).
  /// @return the value, now the most recently used; nullptr if there is none.
  [[nodiscard]] V* find(std::uint64_t hash, std::string_view key) noexcept {
    const std::uint32_t slot = slot_of(hash, key);
    if (slot == kNone) {
      return nullptr;
    }
    const std::uint32_t entry = slots_[slot];
    touch(entry);
    return &entries_[entry].value;
  }

  /// Puts `value` in, in place of an earlier one, and lets the least recently used go while the
  /// bound is passed.
  /// @param value_bytes  what the value holds on the heap.
  /// @return where it stands; nullptr if it alone passes the bound (then nothing is kept under
  /// `key`).
  V* insert(std::uint64_t hash, std::string_view key, V value, std::size_t value_bytes) {
    erase(hash, key);
    const std::size_t bytes = cost_of(key, value_bytes);
    if (bytes > limit_bytes_) {
      return nullptr;
    }
    shrink_to(limit_bytes_ - bytes);
    grow_slots();
    const std::uint32_t entry = take_entry();
    Entry& e = entries_[entry];
    e.hash = hash;
    e.key.assign(key);
    e.value = std::move(value);
    e.bytes = bytes;
    bytes_ += bytes;
    ++size_;
    link_front(entry);
    place(hash, entry);
    return &e.value;
  }

  bool erase(std::uint64_t hash, std::string_view key) {
    const std::uint32_t slot = slot_of(hash, key);
    if (slot == kNone) {
      return false;
    }
    remove(slot);
    return true;
  }

  void clear() {
    entries_.clear();
    slots_.clear();
    head_ = tail_ = free_ = kNone;
    bytes_ = size_ = 0;
  }

  /// A new bound; entries go at once where it is smaller.
  void set_limit(std::size_t limit_bytes) {
    limit_bytes_ = limit_bytes;
    shrink_to(limit_bytes_);
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::size_t limit_bytes() const noexcept { return limit_bytes_; }
  [[nodiscard]] std::uint64_t evictions() const noexcept { return evictions_; }
  /// What an entry counts against the bound: key, value and our own book-keeping.
  [[nodiscard]] static std::size_t cost_of(std::string_view key, std::size_t value_bytes) noexcept {
    return sizeof(Entry) + 4 * sizeof(std::uint32_t) + key.size() + value_bytes;
  }

 private:
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
  static constexpr std::size_t kFewestSlots = 16;

  struct Entry {
    std::uint64_t hash = 0;
    std::string key{};
    V value{};
    std::size_t bytes = 0;
    std::uint32_t before = kNone;  // towards the most recently used
    std::uint32_t after = kNone;   // also the chain of free entries
  };

  [[nodiscard]] std::size_t home_of(std::uint64_t hash) const noexcept {
    return static_cast<std::size_t>(hash) & (slots_.size() - 1);
  }

  [[nodiscard]] std::uint32_t slot_of(std::uint64_t hash, std::string_view key) const noexcept {
    if (slots_.empty()) {
      return kNone;
    }
    for (std::size_t slot = home_of(hash); slots_[slot] != kNone; slot = next_slot(slot)) {
      const Entry& e = entries_[slots_[slot]];
      if (e.hash == hash && e.key == key) {
        return static_cast<std::uint32_t>(slot);
      }
    }
    return kNone;
  }

  [[nodiscard]] std::size_t next_slot(std::size_t slot) const noexcept {
    return (slot + 1) & (slots_.size() - 1);
  }

  void place(std::uint64_t hash, std::uint32_t entry) noexcept {
    std::size_t slot = home_of(hash);
    while (slots_[slot] != kNone) {
      slot = next_slot(slot);
    }
    slots_[slot] = entry;
  }

  void grow_slots() {
    if ((size_ + 1) * 2 <= slots_.size()) {
      return;
    }
    slots_.assign(std::max(kFewestSlots, std::bit_ceil((size_ + 1) * 4)), kNone);
    for (std::uint32_t entry = head_; entry != kNone; entry = entries_[entry].after) {
      place(entries_[entry].hash, entry);
    }
  }

  [[nodiscard]] std::uint32_t take_entry() {
    if (free_ == kNone) {
      entries_.emplace_back();
      return static_cast<std::uint32_t>(entries_.size() - 1);
    }
    return std::exchange(free_, entries_[free_].after);
  }

  void link_front(std::uint32_t entry) noexcept {
    entries_[entry].before = kNone;
    entries_[entry].after = head_;
    if (head_ != kNone) {
      entries_[head_].before = entry;
    }
    head_ = entry;
    if (tail_ == kNone) {
      tail_ = entry;
    }
  }

  void unlink(std::uint32_t entry) noexcept {
    const Entry& e = entries_[entry];
    (e.before == kNone ? head_ : entries_[e.before].after) = e.after;
    (e.after == kNone ? tail_ : entries_[e.after].before) = e.before;
  }

  void touch(std::uint32_t entry) noexcept {
    if (entry != head_) {
      unlink(entry);
      link_front(entry);
    }
  }

  void shrink_to(std::size_t bytes) {
    while (bytes_ > bytes) {
      ++evictions_;
      remove(slot_holding(tail_));
    }
  }

  [[nodiscard]] std::uint32_t slot_holding(std::uint32_t entry) const noexcept {
    std::size_t slot = home_of(entries_[entry].hash);
    while (slots_[slot] != entry) {
      slot = next_slot(slot);
    }
    return static_cast<std::uint32_t>(slot);
  }

  void remove(std::uint32_t slot) {
    const std::uint32_t entry = slots_[slot];
    Entry& e = entries_[entry];
    unlink(entry);
    bytes_ -= e.bytes;
    --size_;
    e.key = std::string();
    e.value = V();
    e.after = std::exchange(free_, entry);
    close_gap(slot);
  }

  // Linear probing without tombstones: what stands behind the gap moves up if its home allows it.
  void close_gap(std::size_t gap) noexcept {
    slots_[gap] = kNone;
    for (std::size_t slot = next_slot(gap); slots_[slot] != kNone; slot = next_slot(slot)) {
      const std::size_t home = home_of(entries_[slots_[slot]].hash);
      const std::size_t mask = slots_.size() - 1;
      if (((slot - home) & mask) >= ((slot - gap) & mask)) {
        slots_[gap] = std::exchange(slots_[slot], kNone);
        gap = slot;
      }
    }
  }

  std::size_t limit_bytes_;
  std::size_t bytes_ = 0;
  std::size_t size_ = 0;
  std::uint64_t evictions_ = 0;
  std::uint32_t head_ = kNone;
  std::uint32_t tail_ = kNone;
  std::uint32_t free_ = kNone;
  std::vector<Entry> entries_{};
  std::vector<std::uint32_t> slots_{};  // a power of two; at most half full
};

}  // namespace sherd::sql
