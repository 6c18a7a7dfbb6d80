#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include <sherd/base/clock.hpp>
#include <sherd/base/error.hpp>
#include <sherd/net/address.hpp>
#include <sherd/net/stream.hpp>

namespace sherd::net {

enum class EngineKind : std::uint8_t { kAuto, kUring, kEpoll };

using Callback = std::move_only_function<void()>;
using ConnectCallback = std::move_only_function<void(Result<std::unique_ptr<Stream>>)>;
using AcceptCallback = std::move_only_function<void(int fd)>;

struct LoopOptions {
  EngineKind engine = EngineKind::kAuto;  // kAuto: io_uring where a probe says it works, else epoll
  const Clock* clock = &system_clock();   // borrowed; the kernel sleeps by real time in any case

  std::size_t receive_buffers = 512;  // a power of two, 8..32768
  std::size_t receive_buffer_bytes = 8 * 1024;
  std::size_t drained_mark_bytes = 16 * 1024;           // see StreamHandler::on_drained
  std::size_t max_queued_bytes = std::size_t{2} << 30;  // per stream
  std::size_t turn_completions = 256;                   // bound on the work of one wake-up
  std::size_t turn_stream_bytes = 64 * 1024;            // the same for one stream
};

/// Names a timer; never reused.
enum class TimerId : std::uint64_t { kNone = 0 };

/// Something that the loop runs at the end of a wake-up. It belongs to its owner, costs no
/// allocation, and takes itself off the list when it is destroyed. Thread: the loop's only.
class ReadyNode {
 public:
  explicit ReadyNode(void (*run)(ReadyNode& node)) noexcept : run_(run) {}
  ~ReadyNode() { unlink(); }
  ReadyNode(const ReadyNode&) = delete;
  ReadyNode& operator=(const ReadyNode&) = delete;
  [[nodiscard]] bool is_linked() const noexcept { return next_ != nullptr; }
  void unlink() noexcept {
    if (next_ != nullptr) {
      prev_->next_ = next_;
      next_->prev_ = prev_;
      prev_ = next_ = nullptr;
    }
  }

 private:
  friend class ReadyList;
  void (*run_)(ReadyNode& node);
  ReadyNode* prev_ = nullptr;
  ReadyNode* next_ = nullptr;
};

/// First in, first out. A node is on at most one list.
class ReadyList {
 public:
  ReadyList() noexcept : head_(nullptr) { head_.prev_ = head_.next_ = &head_; }
  ~ReadyList() {
    while (pop() != nullptr) {
    }
  }
  [[nodiscard]] bool empty() const noexcept { return head_.next_ == &head_; }
  [[nodiscard]] ReadyNode* front() const noexcept { return empty() ? nullptr : head_.next_; }
  /// Takes the node off where it was and puts it last.
  void push(ReadyNode& node) noexcept {
    node.unlink();
    node.prev_ = head_.prev_;
    node.next_ = &head_;
    head_.prev_->next_ = &node;
    head_.prev_ = &node;
  }
  /// Takes the first off; null when there is none.
  ReadyNode* pop() noexcept {
    ReadyNode* node = front();
    if (node != nullptr) {
      node->unlink();
    }
    return node;
  }
  static void run(ReadyNode& node) { node.run_(node); }

 private:
  ReadyNode head_;
};

/// Accepts connections until it is destroyed (which closes the socket and removes a unix socket's
/// file). Thread: the loop's only. Destroy it before the Loop.
class Listener {
 public:
  virtual ~Listener() = default;
  /// Where it really listens: the port that was bound when port 0 was asked for.
  [[nodiscard]] virtual const Address& address() const noexcept = 0;
};

/// The event loop: one per thread, and the only one in its thread. Until the first run() it belongs
/// to the thread that made it, from then on to the one that runs it; only post() and stop() may be
/// called from others. Callbacks never come from inside a call on the loop.
///
/// A turn: enter the kernel once (submit all that gathered, wait), handle completions, posted
/// functions, due timers, then the deferred; then gather each stream's output.
///
/// Destroy it in the thread that ran it, or when that thread has ended.
class Loop {
 public:
  /// kUnsupported when the engine asked for by name does not work here; kIo when descriptors or
  /// memory are short; kInvalidParameterValue for options out of range.
  [[nodiscard]] static Result<std::unique_ptr<Loop>> create(LoopOptions options = {});
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Runs until stop(); may be called again, in the same thread. A stop() that came before counts.
  void run();
  /// Ends run() after the current turn. Any thread.
  void stop() noexcept;
  /// Runs `function` in the loop's thread, in the order of the calls. Any thread. Functions that
  /// were not run when the loop is destroyed are destroyed.
  void post(Callback function);

  /// Time of the current wake-up; not before it in a long callback.
  [[nodiscard]] TimePoint now() const noexcept;
  [[nodiscard]] const Clock& clock() const noexcept;
  /// kUring or kEpoll.
  [[nodiscard]] EngineKind engine() const noexcept;
  /// For checks of contracts.
  [[nodiscard]] bool in_thread() const noexcept;

  /// Runs `function` at or after `at` (a time in the past counts as now), never from inside this
  /// turn's timers; equal times in order of the calls. Cost: O(log timers).
  TimerId start_timer(TimePoint at, Callback function);
  /// Returns whether it was still to come. Cost: O(log timers).
  bool cancel_timer(TimerId id) noexcept;

  /// Runs `function` at the end of this wake-up, before the kernel is entered.
  void defer(Callback function);
  /// The same for a node that belongs to the caller.
  void defer(ReadyNode& node) noexcept;

  /// Connects to the first address of `address` that answers (names are looked up off the loop;
  /// TCP_NODELAY is set). `done` comes exactly once, unless the loop ends first. Codes:
  /// kCannotConnect, kTimeout.
  void connect(Address address, Deadline deadline, ConnectCallback done);
  /// Listens on a literal address, a name of this machine, "*" for all addresses, or a unix socket.
  /// The callback owns the accepted descriptor (non-blocking, close-on-exec) and may hand it to
  /// another thread's loop. Codes: kCannotConnect with the address in the text.
  [[nodiscard]] Result<std::unique_ptr<Listener>> listen(Address address, AcceptCallback accepted);
  /// Makes a Stream of a connected stream socket and owns it from now on.
  [[nodiscard]] std::unique_ptr<Stream> adopt(int fd);

 private:
  explicit Loop(std::unique_ptr<LoopCore> core) noexcept;
  std::unique_ptr<LoopCore> core_;
};

}  // namespace sherd::net
