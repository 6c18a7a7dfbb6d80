#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include <liburing.h>

#include <sherd/base/error.hpp>

#include "buffer_pool.hpp"

namespace sherd::net {

/// An io_uring instance. Made disabled, so that the thread that enables it is its single issuer.
class Ring {
 public:
  /// kUnsupported when this kernel or its settings do not allow a ring of our kind.
  [[nodiscard]] static Result<std::unique_ptr<Ring>> create(unsigned entries, unsigned completions);
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  Result<> enable();
  [[nodiscard]] io_uring* get() noexcept { return &ring_; }

 private:
  Ring() = default;
  io_uring ring_{};
};

/// The ring of provided buffers that multishot receives take from: shared memory with the kernel.
class BufferRing {
 public:
  static constexpr std::uint16_t kGroup = 1;

  /// Registers the ring and lets `pool` feed it. Both must outlive this.
  [[nodiscard]] static Result<std::unique_ptr<BufferRing>> create(Ring& ring, BufferPool& pool);
  ~BufferRing();
  BufferRing(const BufferRing&) = delete;
  BufferRing& operator=(const BufferRing&) = delete;

 private:
  BufferRing(BufferPool& pool, void* memory, std::size_t bytes) noexcept
      : pool_(pool), memory_(memory), bytes_(bytes) {}
  void add(std::uint16_t id) noexcept;

  BufferPool& pool_;
  void* memory_;
  std::size_t bytes_;
  std::uint16_t tail_ = 0;
};

}  // namespace sherd::net
