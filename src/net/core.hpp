#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

#include <sherd/net/loop.hpp>

#include "engine.hpp"
#include "mailbox.hpp"
#include "source.hpp"
#include "timers.hpp"

namespace sherd::net {

class Connecting;

/// What a loop is made of: everything but the kernel's side, which is the Engine. Thread: the
/// loop's only, but for mailbox() and stop().
class LoopCore {
 public:
  [[nodiscard]] static Result<std::unique_ptr<LoopCore>> create(const LoopOptions& options);
  ~LoopCore();
  LoopCore(const LoopCore&) = delete;
  LoopCore& operator=(const LoopCore&) = delete;

  void run();
  void stop() noexcept;
  [[nodiscard]] const std::shared_ptr<Mailbox>& mailbox() const noexcept { return mailbox_; }
  [[nodiscard]] const LoopOptions& options() const noexcept { return options_; }
  [[nodiscard]] TimePoint now() const noexcept { return now_; }
  [[nodiscard]] EngineKind engine() const noexcept { return engine_->kind(); }
  [[nodiscard]] bool in_thread() const noexcept { return thread_ == std::this_thread::get_id(); }
  TimerHeap& timers() noexcept { return timers_; }

  void defer(Callback function) { deferred_.push_back(std::move(function)); }
  void defer(ReadyNode& node) noexcept { ready_.push(node); }
  void start_connecting(Address address, Deadline deadline, ConnectCallback done);
  /// The attempt with that number, null once it has ended.
  [[nodiscard]] Connecting* connecting(std::uint64_t number) noexcept;
  void forget_connecting(std::uint64_t number) noexcept;

  // Sources.
  [[nodiscard]] Watch& add_watch(int fd, std::uint32_t events, Watch::Ready on_ready);
  void set_armed(Watch& watch, bool is_armed) noexcept;
  [[nodiscard]] std::unique_ptr<Stream> adopt(int fd);
  /// No more callbacks; deleted as soon as the kernel has let go.
  void kill(Source& source) noexcept;
  void mark_dirty(Source& source) noexcept;

  // What a Stream asks for.
  void set_handler(Socket& socket, StreamHandler* handler);
  void queue(Socket& socket, Slice bytes);
  void queue_copy(Socket& socket, std::string_view bytes);
  void set_paused(Socket& socket, bool is_paused);
  void close_after_send(Socket& socket, Deadline deadline);

  // What an Engine reports, from dispatch() or settle(); `error` is an errno.
  void ready(Watch& watch, std::uint32_t events);
  /// From dispatch() only, as it calls the user.
  void received(Socket& socket, Slice bytes);
  void receive_ended(Socket& socket, int error);  // 0: the peer has ended its bytes
  void sent(Socket& socket, std::size_t count);
  void send_failed(Socket& socket, int error);
  /// The kernel holds nothing of a dead source: deletes it.
  void erase(Source& source) noexcept;

  [[nodiscard]] static bool wants_receive(const Socket& socket) noexcept;
  /// Bytes that may still go to the user in this turn.
  [[nodiscard]] std::size_t turn_room(Socket& socket) const noexcept;

 private:
  explicit LoopCore(const LoopOptions& options) noexcept;
  Result<> open();
  void turn();
  void run_posted();
  void run_timers();
  void run_ready();
  void settle_all();
  void let_go_of_dead();
  void attend_all();
  void attend(Socket& socket);
  void list_for_attention(Socket& socket);
  void hold(Socket& socket, Slice bytes);
  void deliver_held(Socket& socket);
  void after_queueing(Socket& socket);
  void break_send(Socket& socket);
  void clear_output(Socket& socket);
  void overflow(Socket& socket);
  void finish_flush(Socket& socket) noexcept;
  [[nodiscard]] static bool can_deliver(const Socket& socket) noexcept;
  [[nodiscard]] Duration time_to_wait() const noexcept;

  const LoopOptions options_;
  TimePoint now_;
  std::uint64_t turn_ = 1;
  std::thread::id thread_ = std::this_thread::get_id();
  bool is_bound_ = false;
  bool is_quiet_ = false;  // nothing is to reach the user: what comes is held
  std::atomic<bool> is_stopping_{false};
  std::shared_ptr<Mailbox> mailbox_;

  TimerHeap timers_;
  ReadyList ready_;
  std::vector<Callback> deferred_;
  std::vector<Source*> sources_;
  std::size_t dead_ = 0;  // of the sources
  std::vector<Source*> dirty_;
  std::vector<Socket*> attention_;
  // The same lists while they are worked through; members, so that turns allocate nothing.
  std::vector<Callback> calling_;
  std::vector<Source*> settling_;
  std::vector<Socket*> attending_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Connecting>> connecting_;
  std::uint64_t next_connecting_ = 1;
  std::unique_ptr<Engine> engine_;
};

}  // namespace sherd::net
