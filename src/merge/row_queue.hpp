#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <sherd/base/bytes.hpp>

namespace sherd::merge {

/// Blocks of bytes, handed out and taken back; keeps a few, so that a steady stream allocates
/// nothing.
class BlockPool {
 public:
  static constexpr std::size_t kBlockBytes = 16 * 1024;

  struct Block {
    std::unique_ptr<std::byte[]> bytes;
    std::size_t capacity = 0;
    std::size_t size = 0;
  };

  /// An empty block of at least `capacity` bytes.
  [[nodiscard]] Block take(std::size_t capacity);
  void give_back(Block block);

 private:
  static constexpr std::size_t kKept = 64;

  std::vector<Block> free_;
};

/// Rows that wait, first in first out. A row stays where it is, and its bytes stay valid until the
/// row after it is popped.
class RowQueue {
 public:
  explicit RowQueue(BlockPool& pool) : pool_(&pool) {}

  void push(Bytes row);
  [[nodiscard]] bool empty() const noexcept { return rows_ == 0; }
  /// Bytes of the rows that wait.
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  /// REQUIRES: not empty. The bytes of the row popped last are still valid.
  [[nodiscard]] Bytes front();
  /// REQUIRES: not empty. Frees the row popped before, not the one popped now.
  void pop();

 private:
  BlockPool* pool_;
  std::vector<BlockPool::Block> blocks_;   // few; the first is read, the last written
  std::vector<BlockPool::Block> retired_;  // read to the end, but the row popped last lies in it
  std::size_t read_at_ = 0;                // in blocks_.front()
  std::size_t rows_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace sherd::merge
