#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include <sys/uio.h>

#include <sherd/net/slice.hpp>

namespace sherd::net {

/// Bytes that wait to be sent, in order. Bytes that fill() has shown keep their place until
/// consume() takes them, whatever is pushed meanwhile.
class OutputQueue {
 public:
  void push(Slice bytes);
  /// Copies; small pieces share one block.
  void push_copy(std::string_view bytes);
  /// The first bytes as at most vectors.size() pieces, and no more than `limit` bytes but for the
  /// last piece, which is cut there. Returns the number of pieces.
  [[nodiscard]] std::size_t fill(std::span<iovec> vectors, std::size_t limit) const noexcept;
  /// REQUIRES count <= bytes().
  void consume(std::size_t count) noexcept;
  void clear() noexcept;
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] bool empty() const noexcept { return bytes_ == 0; }

 private:
  std::vector<Slice> slices_;
  std::size_t first_ = 0;  // slices before it are spent
  std::size_t bytes_ = 0;
  std::byte* room_ = nullptr;  // the unused end of the last slice's block
  std::size_t room_bytes_ = 0;
};

}  // namespace sherd::net
