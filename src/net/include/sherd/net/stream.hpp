#pragma once

#include <cstddef>
#include <string_view>

#include <sherd/base/clock.hpp>
#include <sherd/base/error.hpp>
#include <sherd/net/slice.hpp>

namespace sherd::net {

class LoopCore;
struct Socket;

/// What a Stream tells its user. Called from the loop only, never from inside a call of the user's
/// on the Stream. Any of them may destroy the Stream, the handler, or other Streams.
class StreamHandler {
 public:
  virtual ~StreamHandler() = default;
  /// Bytes as they arrived, never empty. Keeping the slice keeps its receive buffer.
  virtual void on_bytes(Slice bytes) = 0;
  /// queued_bytes() has fallen below LoopOptions::drained_mark_bytes after having been at or above
  /// it: the moment to resume what was paused for the sake of this stream. A failed send empties
  /// the queue and so counts as drained.
  virtual void on_drained() {}
  /// The peer has closed its sending side, or the connection has failed. Comes once, after all
  /// bytes that arrived before, and is the last callback. Codes: kConnectionFailed. After a plain
  /// end of the peer's bytes, send() and close_after_send() still work.
  virtual void on_closed(const Error& error) = 0;
};

/// A connected socket of one Loop: bytes in by callback, bytes out by queue. Thread: the loop's
/// only. Destroying it (also inside its own callbacks) cancels everything and closes the socket;
/// only what close_after_send() was asked for goes on. Must not be used after its Loop is gone, but
/// may be destroyed then.
class Stream {
 public:
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  /// Receiving begins with the first handler; null stops it. May be changed at any time; bytes
  /// that have arrived meanwhile go to the new one. Borrowed until changed, closed or on_closed.
  void set_handler(StreamHandler* handler);

  /// Appends to the output; sent at the end of this wake-up, together with what else gathers.
  /// Never blocks, never calls back. Dropped silently once the connection has failed or was closed.
  /// More than LoopOptions::max_queued_bytes in the queue fail the connection.
  void send(Slice bytes);
  /// The same with bytes that are copied; small ones are gathered in one block.
  void send_copy(std::string_view bytes);
  /// Bytes that the kernel has not taken yet.
  [[nodiscard]] std::size_t queued_bytes() const noexcept;

  /// No on_bytes and no on_closed until resume(); the kernel's buffers fill and the peer stops. A
  /// peer that vanishes meanwhile is noticed after resume(). Both are idempotent.
  void pause();
  void resume();
  [[nodiscard]] bool is_paused() const noexcept;

  /// Closes at once; what is queued is lost. No more callbacks.
  void close();
  /// No more callbacks; sends what is queued, then ends our side and waits until the peer has ended
  /// its own (what it still sends is dropped, so that it is not reset before it has read our last
  /// words), but no longer than until `deadline` nor than 30 s. The Stream may be destroyed at
  /// once.
  void close_after_send(Deadline deadline);

  /// The socket, for options and addresses; -1 once closed.
  [[nodiscard]] int fd() const noexcept;

 private:
  friend class LoopCore;
  explicit Stream(Socket& socket) noexcept;

  Socket* socket_;  // null once closed, or after the loop
};

}  // namespace sherd::net
