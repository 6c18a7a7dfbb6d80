#include <atomic>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <sys/mman.h>

#include "uring_engine.hpp"

namespace sherd::net {

Result<std::unique_ptr<Ring>> Ring::create(unsigned entries, unsigned completions) {
  auto ring = std::unique_ptr<Ring>(new Ring);
  io_uring_params params{};
  // One thread issues; completions are worked out only when it waits, in one go.
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN
                 | IORING_SETUP_R_DISABLED | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE
                 | IORING_SETUP_CLAMP;
  params.cq_entries = completions;
  ring->ring_.ring_fd = -1;
  const int status = io_uring_queue_init_params(entries, &ring->ring_, &params);
  if (status < 0) {
    ring->ring_.ring_fd = -1;
    return fail(
        ErrorCode::kUnsupported, fmt::format("io_uring is not usable: {}", strerror(-status))
    );
  }
  constexpr unsigned kNeeded = IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE
                               | IORING_FEAT_FAST_POLL | IORING_FEAT_EXT_ARG | IORING_FEAT_CQE_SKIP;
  if ((params.features & kNeeded) != kNeeded) {
    return fail(ErrorCode::kUnsupported, "io_uring of this kernel is too old");
  }
  return ring;
}

Ring::~Ring() {
  if (ring_.ring_fd >= 0) {
    io_uring_queue_exit(&ring_);
  }
}

Result<> Ring::enable() {
  // Its wrapper is in the header of liburing 2.3, but not in the library.
  const int status = io_uring_register(
      static_cast<unsigned>(ring_.ring_fd), IORING_REGISTER_ENABLE_RINGS, nullptr, 0
  );
  if (status < 0) {
    return fail(
        ErrorCode::kUnsupported, fmt::format("io_uring is not usable: {}", strerror(-status))
    );
  }
  io_uring_register_ring_fd(&ring_);  // saves a look-up per system call; works without, too
  return {};
}

Result<std::unique_ptr<BufferRing>> BufferRing::create(Ring& ring, BufferPool& pool) {
  const std::size_t bytes = pool.count() * sizeof(io_uring_buf);
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return fail(ErrorCode::kIo, fmt::format("no memory for a buffer ring: {}", strerror(errno)));
  }
  auto buffers = std::unique_ptr<BufferRing>(new BufferRing(pool, memory, bytes));
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(memory);
  registration.ring_entries = static_cast<std::uint32_t>(pool.count());
  registration.bgid = kGroup;
  const int status = io_uring_register_buf_ring(ring.get(), &registration, 0);
  if (status < 0) {
    return fail(
        ErrorCode::kUnsupported,
        fmt::format("io_uring takes no ring of buffers: {}", strerror(-status))
    );
  }
  pool.set_sink({
      .give = [](void* self,
                 std::uint16_t id) noexcept { static_cast<BufferRing*>(self)->add(id); },
      .context = buffers.get(),
  });
  return buffers;
}

BufferRing::~BufferRing() {
  ::munmap(memory_, bytes_);
}

void BufferRing::add(std::uint16_t id) noexcept {
  auto* entries = static_cast<io_uring_buf*>(memory_);
  io_uring_buf& entry = entries[tail_ & (pool_.count() - 1)];
  entry.addr = reinterpret_cast<std::uintptr_t>(pool_.data(id));
  entry.len = static_cast<std::uint32_t>(pool_.buffer_bytes());
  entry.bid = id;
  ++tail_;
  // The kernel reads the tail where entry 0 keeps its reserved field.
  std::atomic_ref(entries[0].resv).store(tail_, std::memory_order_release);
}

}  // namespace sherd::net
