#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include <sherd/base/error.hpp>
#include <sherd/net/loop.hpp>

namespace sherd::net {

/// Functions for a loop from other threads. Thread-safe; shared with those who may post after the
/// loop's end (then what they post is destroyed).
class Mailbox {
 public:
  [[nodiscard]] static Result<std::shared_ptr<Mailbox>> create();
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  void post(Callback function);
  /// Makes wake_fd() readable.
  void wake() noexcept;
  /// Takes what was posted, in order. Cost when nothing was: one relaxed load.
  [[nodiscard]] std::vector<Callback> take();
  [[nodiscard]] bool has_posts() const noexcept { return is_pending_.load(); }
  void close() noexcept;

  [[nodiscard]] int wake_fd() const noexcept { return fd_; }
  void drain_wake_fd() noexcept;

 private:
  explicit Mailbox(int fd) noexcept : fd_(fd) {}

  const int fd_;  // an eventfd
  std::atomic<bool> is_pending_{false};

  std::mutex mutex_;
  std::vector<Callback> posted_;  // guarded by mutex_
  bool is_closed_ = false;        // guarded by mutex_
};

}  // namespace sherd::net
