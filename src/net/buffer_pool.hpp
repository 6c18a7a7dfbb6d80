#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <sherd/base/error.hpp>
#include <sherd/net/slice.hpp>

namespace sherd::net {

/// The receive buffers of one loop: `count` of equal size in one mapping. A buffer is either free
/// (in the free list, or with the kernel when there is a sink) or held by slices. When fewer than a
/// quarter are free, bytes are copied out, so that no slow consumer can starve the loop. The pool
/// outlives its loop until the last slice is gone. Not thread-safe.
class BufferPool {
 public:
  struct Closer {
    void operator()(BufferPool* pool) const noexcept { pool->close(); }
  };
  using Ptr = std::unique_ptr<BufferPool, Closer>;
  /// Where free buffers go instead of the free list.
  struct Sink {
    void (*give)(void* context, std::uint16_t id) noexcept = nullptr;
    void* context = nullptr;
  };

  /// kIo when memory is short.
  [[nodiscard]] static Result<Ptr> create(std::size_t count, std::size_t buffer_bytes);

  /// Hands all buffers that are free, now and later, to `sink`.
  void set_sink(Sink sink) noexcept;

  [[nodiscard]] std::size_t count() const noexcept { return blocks_.size(); }
  [[nodiscard]] std::size_t buffer_bytes() const noexcept { return buffer_bytes_; }
  [[nodiscard]] std::size_t available() const noexcept { return available_; }
  [[nodiscard]] std::byte* data(std::uint16_t id) const noexcept {
    return memory_ + std::size_t{id} * buffer_bytes_;
  }

  /// Takes a free buffer. REQUIRES no sink and available() > 0, which copying out guarantees as
  /// long as each taken buffer is given to filled() before the next one is taken.
  [[nodiscard]] std::uint16_t take() noexcept;
  /// The sink's user says that the kernel has taken `id`.
  void taken(std::uint16_t id) noexcept;
  /// The first `size` bytes of a taken buffer as a slice.
  [[nodiscard]] Slice filled(std::uint16_t id, std::size_t size);
  /// A taken buffer that holds nothing.
  void give_back(std::uint16_t id) noexcept;

 private:
  struct PoolBlock : Block {
    BufferPool* pool = nullptr;
    std::uint16_t id = 0;
  };

  BufferPool(std::byte* memory, std::size_t count, std::size_t buffer_bytes);
  ~BufferPool();
  void close() noexcept;
  static void release(Block* block) noexcept;

  std::byte* memory_;
  std::size_t buffer_bytes_;
  std::vector<PoolBlock> blocks_;
  std::vector<std::uint16_t> free_;
  Sink sink_;
  std::size_t available_;
  std::size_t held_ = 0;  // by slices
  bool is_closed_ = false;
};

}  // namespace sherd::net
