#pragma once

#include <cstddef>
#include <memory>

#include <sherd/base/error.hpp>
#include <sherd/net/loop.hpp>

#include "source.hpp"

namespace sherd::net {

/// The kernel's side of a loop. It reports to LoopCore (received, receive_ended, sent, send_failed,
/// ready) and brings the kernel's picture of a source in line with the source's flags when told to
/// settle it. Thread: the loop's only.
class Engine {
 public:
  virtual ~Engine() = default;
  [[nodiscard]] virtual EngineKind kind() const noexcept = 0;
  /// The thread that calls is the one that will run the loop.
  virtual void bind() = 0;
  /// Never calls the user back. Erases the source when it is dead and the kernel has let go.
  virtual void settle(Watch& watch) = 0;
  virtual void settle(Socket& socket) = 0;
  /// Gives the kernel what was prepared, then waits for an event until `timeout` has passed
  /// (negative: for ever; zero: not at all).
  virtual void wait(Duration timeout) = 0;
  /// Gives the kernel what was prepared.
  virtual void flush() = 0;
  /// Reports at most `limit` completions.
  virtual void dispatch(std::size_t limit) = 0;
  /// Whether the calling thread may still settle and wait.
  [[nodiscard]] virtual bool is_usable_here() const noexcept = 0;
};

[[nodiscard]] Result<std::unique_ptr<Engine>> make_epoll_engine(
    LoopCore& core, const LoopOptions& options
);
/// kUnsupported when the probe (ring, buffer ring, multishot receive) fails on this machine.
[[nodiscard]] Result<std::unique_ptr<Engine>> make_uring_engine(
    LoopCore& core, const LoopOptions& options
);

}  // namespace sherd::net
