#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

#include <sherd/net/slice.hpp>

namespace sherd::exec {

/// Where a result goes: backend messages on their way to a client, in order. Thread: its loop's.
class ResultSink {
 public:
  virtual ~ResultSink() = default;
  virtual void send(net::Slice bytes) = 0;
  virtual void send_copy(std::string_view bytes) = 0;
  /// Bytes that the client has not taken yet: above `limit_bytes` a producer pauses.
  [[nodiscard]] virtual std::size_t queued_bytes() const = 0;
  [[nodiscard]] virtual std::size_t limit_bytes() const = 0;
  /// Calls `drained` once, when the client has taken most of it. Empty: forget.
  virtual void when_drained(std::function<void()> drained) = 0;
};

}  // namespace sherd::exec
