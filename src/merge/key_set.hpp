#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include <sherd/base/bytes.hpp>

namespace sherd::merge {

/// Bytes that stay where they are until the arena is gone.
class Arena {
 public:
  [[nodiscard]] Bytes copy(Bytes from);
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

 private:
  static constexpr std::size_t kBlockBytes = 16 * 1024;

  std::vector<std::unique_ptr<std::byte[]>> blocks_;
  std::byte* free_ = nullptr;
  std::size_t free_bytes_ = 0;
  std::size_t bytes_ = 0;
};

/// Numbers distinct keys from 0 in the order in which they come. Open addressing, linear probing,
/// at most half full; the hash is seeded so that nobody can choose keys that collide.
class KeySet {
 public:
  explicit KeySet(std::uint64_t seed) : seed_(seed) {}

  struct Found {
    std::size_t number;
    bool is_new;
  };
  [[nodiscard]] Found find_or_add(std::string_view key);
  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
  [[nodiscard]] std::size_t bytes() const noexcept {
    return arena_.bytes() + entries_.capacity() * sizeof(Entry)
           + slots_.capacity() * sizeof(std::uint32_t);
  }

 private:
  struct Entry {
    std::uint64_t hash;
    Bytes key;
  };
  void grow();

  std::uint64_t seed_;
  Arena arena_;
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> slots_;  // number + 1; 0 is free
};

}  // namespace sherd::merge
