#include "buffer_pool.hpp"

#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <sys/mman.h>

#include <sherd/base/check.hpp>

namespace sherd::net {

Result<BufferPool::Ptr> BufferPool::create(std::size_t count, std::size_t buffer_bytes) {
  SHERD_CHECK(count > 0 && count <= 32768 && buffer_bytes > 0);
  void* memory = ::mmap(
      nullptr, count * buffer_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0
  );
  if (memory == MAP_FAILED) {
    return fail(ErrorCode::kIo, fmt::format("no memory for receive buffers: {}", strerror(errno)));
  }
  return Ptr(new BufferPool(static_cast<std::byte*>(memory), count, buffer_bytes));
}

BufferPool::BufferPool(std::byte* memory, std::size_t count, std::size_t buffer_bytes)
    : memory_(memory), buffer_bytes_(buffer_bytes), blocks_(count), available_(count) {
  free_.reserve(count);
  for (std::size_t i = count; i-- > 0;) {
    const auto id = static_cast<std::uint16_t>(i);
    blocks_[i].release = release;
    blocks_[i].pool = this;
    blocks_[i].id = id;
    free_.push_back(id);
  }
}

BufferPool::~BufferPool() {
  ::munmap(memory_, blocks_.size() * buffer_bytes_);
}

void BufferPool::set_sink(Sink sink) noexcept {
  sink_ = sink;
  for (const std::uint16_t id : free_) {
    sink_.give(sink_.context, id);
  }
  free_.clear();
}

std::uint16_t BufferPool::take() noexcept {
  SHERD_CHECK(!free_.empty());
  const std::uint16_t id = free_.back();
  free_.pop_back();
  --available_;
  return id;
}

void BufferPool::taken(std::uint16_t id) noexcept {
  SHERD_CHECK(id < blocks_.size() && available_ > 0);
  --available_;
}

Slice BufferPool::filled(std::uint16_t id, std::size_t size) {
  SHERD_DCHECK(size <= buffer_bytes_);
  if (available_ < blocks_.size() / 4) {
    Slice copy = Slice::copy_of({reinterpret_cast<const char*>(data(id)), size});
    give_back(id);
    return copy;
  }
  ++held_;
  blocks_[id].refs = 1;
  return {&blocks_[id], data(id), size};
}

void BufferPool::give_back(std::uint16_t id) noexcept {
  ++available_;
  if (sink_.give != nullptr) {
    sink_.give(sink_.context, id);
  } else {
    free_.push_back(id);
  }
}

void BufferPool::release(Block* block) noexcept {
  auto* pool_block = static_cast<PoolBlock*>(block);
  BufferPool* pool = pool_block->pool;
  --pool->held_;
  pool->give_back(pool_block->id);
  if (pool->is_closed_ && pool->held_ == 0) {
    delete pool;
  }
}

void BufferPool::close() noexcept {
  is_closed_ = true;
  sink_ = {};
  if (held_ == 0) {
    delete this;
  }
}

}  // namespace sherd::net
