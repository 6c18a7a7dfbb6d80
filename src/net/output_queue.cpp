#include "output_queue.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace sherd::net {

namespace {

constexpr std::size_t kGatherBytes = 960;  // with its block still in malloc's fast bins

Block* allocate_block(std::size_t size) {
  return new (::operator new(sizeof(Block) + size))
      Block{.refs = 1, .release = [](Block* block) noexcept { ::operator delete(block); }};
}

}  // namespace

void OutputQueue::push(Slice bytes) {
  if (bytes.empty()) {
    return;
  }
  bytes_ += bytes.size();
  slices_.push_back(std::move(bytes));
  room_bytes_ = 0;
}

void OutputQueue::push_copy(std::string_view bytes) {
  if (bytes.empty()) {
    return;
  }
  if (bytes.size() > room_bytes_) {
    const std::size_t size = std::max(bytes.size(), kGatherBytes);
    Block* block = allocate_block(size);
    room_ = reinterpret_cast<std::byte*>(block + 1);
    room_bytes_ = size;
    slices_.emplace_back(block, room_, 0);
  }
  std::memcpy(room_, bytes.data(), bytes.size());
  slices_.back().size_ += bytes.size();  // the slice ends where the room begins
  room_ += bytes.size();
  room_bytes_ -= bytes.size();
  bytes_ += bytes.size();
}

std::size_t OutputQueue::fill(std::span<iovec> vectors, std::size_t limit) const noexcept {
  std::size_t used = 0;
  for (std::size_t i = first_; i < slices_.size() && used < vectors.size() && limit > 0; ++i) {
    const std::size_t size = std::min(slices_[i].size(), limit);
    vectors[used].iov_base = const_cast<std::byte*>(slices_[i].data());
    vectors[used].iov_len = size;
    limit -= size;
    ++used;
  }
  return used;
}

void OutputQueue::consume(std::size_t count) noexcept {
  SHERD_CHECK(count <= bytes_);
  bytes_ -= count;
  while (count > 0) {
    Slice& front = slices_[first_];
    if (count < front.size()) {
      front.remove_prefix(count);
      return;
    }
    count -= front.size();
    front = Slice();
    ++first_;
  }
  if (first_ == slices_.size()) {
    clear();
  } else if (first_ >= 64 && first_ * 2 >= slices_.size()) {
    slices_.erase(slices_.begin(), slices_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

void OutputQueue::clear() noexcept {
  constexpr std::size_t kKeptSlices = 256;
  slices_.clear();
  if (slices_.capacity() > kKeptSlices) {
    slices_.shrink_to_fit();
  }
  first_ = 0;
  bytes_ = 0;
  room_bytes_ = 0;
}

}  // namespace sherd::net
