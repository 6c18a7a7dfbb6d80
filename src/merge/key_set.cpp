#include "key_set.hpp"

#define XXH_INLINE_ALL
#include <cstring>

#include <xxhash.h>

namespace sherd::merge {

Bytes Arena::copy(Bytes from) {
  if (from.empty()) {
    return {};
  }
  if (from.size() > free_bytes_) {
    const std::size_t size = from.size() > kBlockBytes / 4 ? from.size() : kBlockBytes;
    blocks_.push_back(std::make_unique_for_overwrite<std::byte[]>(size));
    bytes_ += size;
    if (size == from.size()) {  // a block of its own; the one in use goes on
      std::memcpy(blocks_.back().get(), from.data(), from.size());
      return {blocks_.back().get(), from.size()};
    }
    free_ = blocks_.back().get();
    free_bytes_ = size;
  }
  std::memcpy(free_, from.data(), from.size());
  const Bytes copied{free_, from.size()};
  free_ += from.size();
  free_bytes_ -= from.size();
  return copied;
}

void KeySet::grow() {
  constexpr std::size_t kFirst = 64;
  slots_.assign(slots_.empty() ? kFirst : slots_.size() * 2, 0);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t number = 0; number < entries_.size(); ++number) {
    std::size_t at = entries_[number].hash & mask;
    while (slots_[at] != 0) {
      at = (at + 1) & mask;
    }
    slots_[at] = static_cast<std::uint32_t>(number + 1);
  }
}

KeySet::Found KeySet::find_or_add(std::string_view key) {
  if ((entries_.size() + 1) * 2 > slots_.size()) {
    grow();
  }
  const std::uint64_t hash = XXH3_64bits_withSeed(key.data(), key.size(), seed_);
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  for (; slots_[at] != 0; at = (at + 1) & mask) {
    const Entry& entry = entries_[slots_[at] - 1];
    if (entry.hash == hash && as_text(entry.key) == key) {
      return {slots_[at] - 1, false};
    }
  }
  entries_.push_back({hash, arena_.copy(as_bytes(key))});
  slots_[at] = static_cast<std::uint32_t>(entries_.size());
  return {entries_.size() - 1, true};
}

}  // namespace sherd::merge
