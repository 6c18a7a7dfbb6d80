#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <sherd/base/bytes.hpp>
#include <sherd/base/check.hpp>

namespace sherd::net {

/// Where the bytes of slices live. Internal to net; only its count is touched here.
struct Block {
  std::uint32_t refs = 1;
  void (*release)(Block* block) noexcept = nullptr;  // called when refs has become 0
};

/// Reference-counted immutable bytes. Copying shares them. The count is not atomic: all slices of
/// one block stay in one thread. A slice may outlive the Stream and the Loop that it came from.
/// Cost: copy and destruction are a few instructions; the last destruction gives a receive buffer
/// back to its ring or frees the memory.
class Slice {
 public:
  Slice() noexcept = default;
  /// Takes over one reference to `block`, which may be null for bytes that live for ever.
  Slice(Block* block, const std::byte* data, std::size_t size) noexcept
      : block_(block), data_(data), size_(size) {}
  Slice(const Slice& other) noexcept
      : block_(other.block_), data_(other.data_), size_(other.size_) {
    if (block_ != nullptr) {
      ++block_->refs;
    }
  }
  Slice(Slice&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  Slice& operator=(Slice other) noexcept {
    swap(other);
    return *this;
  }
  ~Slice() {
    if (block_ != nullptr && --block_->refs == 0) {
      block_->release(block_);
    }
  }

  /// A copy of `text`. Cost: one allocation unless `text` is empty.
  [[nodiscard]] static Slice copy_of(std::string_view text);
  /// Takes `text` over without copying its heap bytes. Cost: one small allocation.
  [[nodiscard]] static Slice adopt(std::string&& text);
  /// Bytes that live as long as the program, such as a literal. No allocation.
  [[nodiscard]] static Slice of_static(std::string_view text) noexcept {
    return {nullptr, reinterpret_cast<const std::byte*>(text.data()), text.size()};
  }

  [[nodiscard]] const std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  /// Borrowed until this slice and all that share its bytes are gone.
  [[nodiscard]] Bytes bytes() const noexcept { return {data_, size_}; }
  [[nodiscard]] std::string_view text() const noexcept {
    return {reinterpret_cast<const char*>(data_), size_};
  }

  /// `length` bytes from `offset`, sharing them. REQUIRES offset + length <= size().
  [[nodiscard]] Slice sub(std::size_t offset, std::size_t length) const noexcept {
    SHERD_DCHECK(offset <= size_ && length <= size_ - offset);
    Slice part(*this);
    part.data_ += offset;
    part.size_ = length;
    return part;
  }
  /// Drops the first `count` bytes. REQUIRES count <= size().
  void remove_prefix(std::size_t count) noexcept {
    SHERD_DCHECK(count <= size_);
    data_ += count;
    size_ -= count;
  }
  void swap(Slice& other) noexcept {
    std::swap(block_, other.block_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

 private:
  friend class OutputQueue;

  Block* block_ = nullptr;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace sherd::net
