#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sherd/base/check.hpp>

#include "buffer_pool.hpp"
#include "core.hpp"
#include "engine.hpp"

namespace sherd::net {

namespace {

constexpr std::size_t kSendPieces = 64;
constexpr std::size_t kSendBytesPerTurn = 256 * 1024;

static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLERR == POLLERR);

/// Level-triggered epoll: receives into pool buffers when a socket is readable, sends when it is
/// settled. Descriptors that want nothing are not registered, as epoll would report their hang-ups
/// for ever.
class EpollEngine final : public Engine {
 public:
  EpollEngine(LoopCore& core, int fd, BufferPool::Ptr pool, std::size_t events)
      : core_(core), fd_(fd), pool_(std::move(pool)), events_(events) {}
  ~EpollEngine() override { ::close(fd_); }

  [[nodiscard]] EngineKind kind() const noexcept override { return EngineKind::kEpoll; }
  void bind() override {}
  void flush() override {}
  [[nodiscard]] bool is_usable_here() const noexcept override { return true; }

  void settle(Watch& watch) override;
  void settle(Socket& socket) override;
  void wait(Duration timeout) override;
  void dispatch(std::size_t limit) override;

 private:
  void set_events(Source& source, std::uint32_t& current, std::uint32_t wanted);
  void send(Socket& socket);
  void receive(Socket& socket);
  void on_event(Socket& socket, std::uint32_t events);

  LoopCore& core_;
  const int fd_;
  BufferPool::Ptr pool_;
  std::vector<epoll_event> events_;
  std::size_t ready_ = 0;
};

void EpollEngine::set_events(Source& source, std::uint32_t& current, std::uint32_t wanted) {
  if (current == wanted) {
    return;
  }
  const int operation = current == 0 ? EPOLL_CTL_ADD : wanted == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
  epoll_event event{.events = wanted, .data = {.ptr = &source}};
  // Fails only when memory or the user's limit of watches is short, and then nothing works any
  // more.
  SHERD_CHECK(::epoll_ctl(fd_, operation, source.fd, &event) == 0);
  current = wanted;
}

void EpollEngine::settle(Watch& watch) {
  const bool is_wanted = !watch.is_dead && watch.is_armed;
  set_events(watch, watch.epoll_events, is_wanted ? watch.events : 0);
  if (watch.is_dead) {
    core_.erase(watch);
  }
}

void EpollEngine::settle(Socket& socket) {
  if (socket.is_dead) {
    set_events(socket, socket.epoll_events, 0);
    core_.erase(socket);
    return;
  }
  send(socket);
  std::uint32_t wanted = LoopCore::wants_receive(socket) ? EPOLLIN : 0;
  if (socket.is_write_blocked && !socket.is_send_broken) {
    wanted |= EPOLLOUT;
  }
  set_events(socket, socket.epoll_events, wanted);
}

void EpollEngine::send(Socket& socket) {
  std::array<iovec, kSendPieces> pieces;
  std::size_t budget = kSendBytesPerTurn;
  while (!socket.is_send_broken && !socket.is_write_blocked && !socket.output.empty()) {
    if (budget == 0) {
      core_.mark_dirty(socket);  // the rest in the next turn
      return;
    }
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = socket.output.fill(pieces, budget);
    const ssize_t count = ::sendmsg(socket.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) {
      budget -= std::min(budget, static_cast<std::size_t>(count));
      core_.sent(socket, static_cast<std::size_t>(count));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      socket.is_write_blocked = true;
    } else if (errno != EINTR) {
      core_.send_failed(socket, errno);
    }
  }
}

void EpollEngine::wait(Duration timeout) {
  constexpr std::int64_t kLongestMilliseconds = 3'600'000;
  int limit = -1;
  if (timeout >= Duration::zero()) {
    // Rounded up, so that a timer is due when we wake.
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
    limit = static_cast<int>(std::min(milliseconds, kLongestMilliseconds));
  }
  const int count = ::epoll_wait(fd_, events_.data(), static_cast<int>(events_.size()), limit);
  SHERD_CHECK(count >= 0 || errno == EINTR);
  ready_ = static_cast<std::size_t>(std::max(count, 0));
}

void EpollEngine::dispatch(std::size_t) {  // wait() asked for no more than the limit
  for (std::size_t i = 0; i < ready_; ++i) {
    auto& source = *static_cast<Source*>(events_[i].data.ptr);
    const std::uint32_t events = events_[i].events;
    if (source.is_dead) {
      continue;
    }
    if (source.kind == Source::Kind::kWatch) {
      core_.ready(static_cast<Watch&>(source), events);
    } else {
      on_event(static_cast<Socket&>(source), events);
    }
  }
  ready_ = 0;
}

void EpollEngine::on_event(Socket& socket, std::uint32_t events) {
  if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0 && socket.is_write_blocked) {
    socket.is_write_blocked = false;
    core_.mark_dirty(socket);
  }
  if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) {
    receive(socket);
  }
}

void EpollEngine::receive(Socket& socket) {
  while (LoopCore::wants_receive(socket) && core_.turn_room(socket) > 0) {
    const std::uint16_t id = pool_->take();
    const ssize_t count = ::recv(socket.fd, pool_->data(id), pool_->buffer_bytes(), MSG_DONTWAIT);
    if (count > 0) {
      const auto size = static_cast<std::size_t>(count);
      core_.received(socket, pool_->filled(id, size));
      if (size < pool_->buffer_bytes()) {
        return;  // nothing more for now, or the next wake-up will tell
      }
      continue;
    }
    const int error = errno;
    pool_->give_back(id);
    if (count == 0) {
      core_.receive_ended(socket, 0);
    } else if (error != EAGAIN && error != EWOULDBLOCK && error != EINTR) {
      core_.receive_ended(socket, error);
    }
    return;
  }
}

}  // namespace

Result<std::unique_ptr<Engine>> make_epoll_engine(LoopCore& core, const LoopOptions& options) {
  SHERD_TRY(auto pool, BufferPool::create(options.receive_buffers, options.receive_buffer_bytes));
  const int fd = ::epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) {
    return fail(ErrorCode::kIo, fmt::format("could not make an epoll: {}", strerror(errno)));
  }
  return std::make_unique<EpollEngine>(core, fd, std::move(pool), options.turn_completions);
}

}  // namespace sherd::net
