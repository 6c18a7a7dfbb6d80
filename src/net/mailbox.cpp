#include "mailbox.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace sherd::net {

Result<std::shared_ptr<Mailbox>> Mailbox::create() {
  const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) {
    return fail(ErrorCode::kIo, fmt::format("could not make an eventfd: {}", strerror(errno)));
  }
  return std::shared_ptr<Mailbox>(new Mailbox(fd));
}

Mailbox::~Mailbox() {
  ::close(fd_);
}

void Mailbox::post(Callback function) {
  {
    const std::lock_guard lock(mutex_);
    if (is_closed_) {
      return;
    }
    posted_.push_back(std::move(function));
  }
  if (!is_pending_.exchange(true)) {
    wake();
  }
}

void Mailbox::wake() noexcept {
  const std::uint64_t one = 1;
  // Fails only when the counter is full, and then the loop is awake anyway.
  [[maybe_unused]] const auto written = ::write(fd_, &one, sizeof one);
}

std::vector<Callback> Mailbox::take() {
  if (!is_pending_.load(std::memory_order_relaxed)) {
    return {};
  }
  const std::lock_guard lock(mutex_);
  is_pending_.store(false);
  return std::exchange(posted_, {});
}

void Mailbox::close() noexcept {
  std::vector<Callback> dropped;
  const std::lock_guard lock(mutex_);
  is_closed_ = true;
  dropped.swap(posted_);
}

void Mailbox::drain_wake_fd() noexcept {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto size = ::read(fd_, &count, sizeof count);
}

}  // namespace sherd::net
