#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include <sherd/base/error.hpp>
#include <sherd/net/loop.hpp>

#include "output_queue.hpp"

namespace sherd::net {

class LoopCore;

/// What the kernel may know of. Only LoopCore makes and deletes sources; deletion happens between
/// callbacks, when the kernel holds nothing of it any more.
struct Source {
  enum class Kind : std::uint8_t { kSocket, kWatch };

  const Kind kind;
  bool is_dead = false;   // nobody wants it; to be deleted when the kernel has let go
  bool is_dirty = false;  // on the list of those to settle at the end of the turn
  bool owns_fd = true;
  const int fd;
  LoopCore& core;
  std::size_t place = 0;  // in the core's list of sources

  Source(Kind of, int descriptor, LoopCore& in) noexcept : kind(of), fd(descriptor), core(in) {}
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
};

/// Readiness of a descriptor: level-triggered, while armed.
struct Watch : Source {
  using Ready = std::move_only_function<void(std::uint32_t events)>;

  const std::uint32_t events;  // of poll(2)
  bool is_armed = true;
  Ready on_ready;

  // the engine's
  bool is_polling = false;
  bool is_cancelling = false;
  std::uint32_t epoll_events = 0;

  Watch(int descriptor, LoopCore& in, std::uint32_t wanted, Ready ready) noexcept
      : Source(Kind::kWatch, descriptor, in), events(wanted), on_ready(std::move(ready)) {}
};

/// The part of a Stream that the kernel may know of; outlives the Stream while the kernel holds a
/// buffer of it, or while close_after_send is at work.
struct Socket : Source {
  Stream* owner = nullptr;
  StreamHandler* handler = nullptr;

  OutputQueue output;
  std::unique_ptr<std::deque<Slice>> held;  // received while paused or over the turn's bound
  std::size_t held_bytes = 0;
  std::optional<Error> end;  // of the peer's bytes; told after what is held
  TimerId flush_timer = TimerId::kNone;
  std::uint64_t turn = 0;  // to which turn_bytes belongs
  std::size_t turn_bytes = 0;

  bool is_paused = false;
  bool is_listed = false;       // on the core's list of those that need attention
  bool is_drained_due = false;  // on_drained is to be called
  bool is_send_broken = false;  // nothing can be sent any more
  bool is_flushing = false;     // close_after_send was called
  bool is_shut_down = false;    // our side has ended
  bool is_end_told = false;

  // the engine's
  bool is_receiving = false;
  bool is_receive_cancelling = false;
  bool is_sending = false;
  bool is_send_cancelling = false;
  bool is_write_blocked = false;
  std::uint32_t epoll_events = 0;

  Socket(int descriptor, LoopCore& in) noexcept : Source(Kind::kSocket, descriptor, in) {}
};

}  // namespace sherd::net
