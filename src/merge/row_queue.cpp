#include "row_queue.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace sherd::merge {
namespace {

constexpr std::size_t kHeaderBytes = sizeof(std::uint32_t);  // size of the row, in front of it

std::uint32_t size_at(const std::byte* at) {
  std::uint32_t size = 0;
  std::memcpy(&size, at, sizeof size);
  return size;
}

}  // namespace

BlockPool::Block BlockPool::take(std::size_t capacity) {
  if (capacity <= kBlockBytes && !free_.empty()) {
    Block block = std::move(free_.back());
    free_.pop_back();
    block.size = 0;
    return block;
  }
  const std::size_t size = std::max(capacity, kBlockBytes);
  return {std::make_unique_for_overwrite<std::byte[]>(size), size, 0};
}

void BlockPool::give_back(Block block) {
  if (block.capacity == kBlockBytes && free_.size() < kKept) {
    free_.push_back(std::move(block));
  }
}

void RowQueue::push(Bytes row) {
  const std::size_t needed = kHeaderBytes + row.size();
  if (blocks_.empty() || blocks_.back().capacity - blocks_.back().size < needed) {
    blocks_.push_back(pool_->take(needed));
  }
  BlockPool::Block& block = blocks_.back();
  std::byte* const at = block.bytes.get() + block.size;
  const auto size = static_cast<std::uint32_t>(row.size());
  std::memcpy(at, &size, sizeof size);
  std::memcpy(at + kHeaderBytes, row.data(), row.size());
  block.size += needed;
  ++rows_;
  bytes_ += needed;
}

Bytes RowQueue::front() {
  while (read_at_ == blocks_.front().size) {  // more rows wait, so there is a next block
    retired_.push_back(std::move(blocks_.front()));
    blocks_.erase(blocks_.begin());
    read_at_ = 0;
  }
  const std::byte* const at = blocks_.front().bytes.get() + read_at_;
  return {at + kHeaderBytes, size_at(at)};
}

void RowQueue::pop() {
  const std::size_t taken = kHeaderBytes + front().size();
  for (BlockPool::Block& block : retired_) {  // what is popped now lies in the first block
    pool_->give_back(std::move(block));
  }
  retired_.clear();
  read_at_ += taken;
  --rows_;
  bytes_ -= taken;
}

}  // namespace sherd::merge
