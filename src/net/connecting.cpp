#include "connecting.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include "core.hpp"
#include "resolver.hpp"

namespace sherd::net {

namespace {

constexpr Duration kLongestPause = std::chrono::milliseconds(50);

/// TCP may connect a socket to itself when the port asked for is a free one of this machine.
bool is_connected_to_itself(int fd) {
  Endpoint local;
  Endpoint peer;
  local.size = peer.size = sizeof local.storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&local.storage), &local.size) != 0
      || ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer.storage), &peer.size) != 0) {
    return false;
  }
  return local.family() != AF_UNIX && local.size == peer.size
         && std::memcmp(&local.storage, &peer.storage, local.size) == 0;
}

}  // namespace

Connecting::Connecting(
    LoopCore& core, std::uint64_t number, Address address, Deadline deadline, ConnectCallback done
)
    : core_(core),
      number_(number),
      address_(std::move(address)),
      deadline_(deadline),
      done_(std::move(done)) {}

Connecting::~Connecting() {
  core_.timers().cancel(deadline_timer_);
  core_.timers().cancel(retry_timer_);
  drop_attempt();
}

void Connecting::begin() {
  if (!deadline_.is_never()) {
    deadline_timer_ = core_.timers().start(deadline_.at(), [this] {
      deadline_timer_ = TimerId::kNone;
      finish(fail(
          ErrorCode::kTimeout,
          fmt::format("connecting to {} took longer than allowed", to_string(address_))
      ));
    });
  }
  auto literal = literal_endpoint(address_);
  if (!literal) {
    finish(fail(std::move(literal).error()));
  } else if (*literal) {
    on_endpoints(std::vector{**literal});
  } else {
    resolve(
        address_, core_.mailbox(),
        [&core = core_, number = number_](Result<std::vector<Endpoint>> endpoints) {
          if (Connecting* attempt = core.connecting(number)) {
            attempt->on_endpoints(std::move(endpoints));
          }
        }
    );
  }
}

void Connecting::on_endpoints(Result<std::vector<Endpoint>> endpoints) {
  if (!endpoints) {
    finish(fail(std::move(endpoints).error()));
    return;
  }
  endpoints_ = *std::move(endpoints);
  try_current();
}

void Connecting::try_current() {
  if (current_ >= endpoints_.size()) {
    finish(fail(
        ErrorCode::kCannotConnect,
        fmt::format("could not connect to {}: {}", to_string(address_), reason_)
    ));
    return;
  }
  const Endpoint& endpoint = endpoints_[current_];
  const auto fd = open_socket(endpoint);
  if (!fd) {
    try_next(fd.error().message);
    return;
  }
  if (::connect(*fd, endpoint.get(), endpoint.size) == 0) {
    succeed(*fd);
  } else if (errno == EINPROGRESS) {
    watch_ = &core_.add_watch(*fd, POLLOUT, [this](std::uint32_t) { on_writable(); });
  } else {
    const int error = errno;
    ::close(*fd);
    if (error == EAGAIN) {
      retry_later();  // a unix listener whose backlog is full
    } else {
      try_next(strerror(error));
    }
  }
}

void Connecting::try_next(std::string reason) {
  reason_ = std::move(reason);
  ++current_;
  try_current();
}

void Connecting::retry_later() {
  retry_timer_ = core_.timers().start(core_.options().clock->now() + pause_, [this] {
    retry_timer_ = TimerId::kNone;
    try_current();
  });
  pause_ = std::min(2 * pause_, kLongestPause);
}

void Connecting::on_writable() {
  const int fd = watch_->fd;
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
    error = errno;
  }
  if (error == 0 && is_connected_to_itself(fd)) {
    error = ECONNREFUSED;
  }
  if (error != 0) {
    drop_attempt();
    try_next(strerror(error));
    return;
  }
  watch_->owns_fd = false;
  drop_attempt();
  succeed(fd);
}

void Connecting::drop_attempt() noexcept {
  if (Watch* watch = std::exchange(watch_, nullptr)) {
    core_.kill(*watch);
  }
}

void Connecting::succeed(int fd) {
  finish(core_.adopt(fd));
}

void Connecting::finish(Result<std::unique_ptr<Stream>> result) {
  ConnectCallback done = std::move(done_);
  core_.forget_connecting(number_);  // this is gone
  done(std::move(result));
}

}  // namespace sherd::net
