#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

#include "core.hpp"
#include "endpoint.hpp"
#include "resolver.hpp"

namespace sherd::net {

namespace {

constexpr int kAcceptsPerTurn = 64;
constexpr Duration kShortagePause = std::chrono::milliseconds(100);

class ListenerOfCore final : public Listener {
 public:
  ListenerOfCore(LoopCore& core, int fd, Address address, AcceptCallback accepted)
      : core_(core),
        address_(std::move(address)),
        accepted_(std::make_shared<AcceptCallback>(std::move(accepted))),
        watch_(core.add_watch(fd, POLLIN, [this](std::uint32_t) { accept_some(); })) {}

  ~ListenerOfCore() override {
    core_.timers().cancel(pause_timer_);
    if (address_.is_unix()) {
      ::unlink(unix_path(address_).c_str());
    }
    *is_alive_ = false;
    core_.kill(watch_);
  }

  [[nodiscard]] const Address& address() const noexcept override { return address_; }

 private:
  void accept_some() {
    // The callback may destroy this listener.
    const auto accepted = accepted_;
    const auto is_alive = is_alive_;
    for (int i = 0; i < kAcceptsPerTurn && *is_alive; ++i) {
      const int fd = ::accept4(watch_.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        (*accepted)(fd);
      } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        return;
      } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        pause();
        return;
      }  // else this one connection has failed; on with the next
    }
  }

  /// Descriptors are short: the connections wait in the backlog, and the loop does not spin.
  void pause() {
    core_.set_armed(watch_, false);
    pause_timer_ = core_.timers().start(core_.now() + kShortagePause, [this] {
      core_.set_armed(watch_, true);
    });
  }

  LoopCore& core_;
  const Address address_;
  std::shared_ptr<AcceptCallback> accepted_;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
  TimerId pause_timer_ = TimerId::kNone;
  Watch& watch_;
};

/// A socket file that nobody listens on any more is left from a process that died.
bool is_stale(const Endpoint& endpoint) {
  const auto probe = open_socket(endpoint);
  if (!probe) {
    return false;
  }
  const bool refused =
      ::connect(*probe, endpoint.get(), endpoint.size) != 0 && errno == ECONNREFUSED;
  ::close(*probe);
  return refused;
}

int bind_socket(int fd, const Endpoint& endpoint, const Address& address) {
  if (endpoint.family() != AF_UNIX) {
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (endpoint.family() == AF_INET6) {
      const int is_v6_only = address.host == "*" ? 0 : 1;
      ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &is_v6_only, sizeof is_v6_only);
    }
  }
  int status = ::bind(fd, endpoint.get(), endpoint.size);
  if (status != 0 && errno == EADDRINUSE && address.is_unix()) {
    if (!is_stale(endpoint)) {
      errno = EADDRINUSE;
      return -1;
    }
    ::unlink(unix_path(address).c_str());
    status = ::bind(fd, endpoint.get(), endpoint.size);
  }
  return status;
}

/// Of both families, or of IPv4 where the machine has no IPv6.
Result<Endpoint> any_endpoint(std::uint16_t port) {
  SHERD_TRY(const auto both, literal_endpoint({.host = "::", .port = port}));
  if (const auto probe = open_socket(*both)) {
    ::close(*probe);
    return *both;
  }
  SHERD_TRY(const auto v4, literal_endpoint({.host = "0.0.0.0", .port = port}));
  return *v4;
}

Result<Endpoint> endpoint_to_listen_on(const Address& address) {
  if (address.host == "*") {
    return any_endpoint(address.port);
  }
  SHERD_TRY(const auto literal, literal_endpoint(address));
  if (literal) {
    return *literal;
  }
  SHERD_TRY(const auto endpoints, resolve_now(address, true));
  if (endpoints.empty()) {
    return fail(ErrorCode::kCannotConnect, fmt::format("{} has no address", to_string(address)));
  }
  return endpoints.front();
}

Address bound_address(int fd, const Address& asked) {
  Endpoint endpoint;
  endpoint.size = sizeof endpoint.storage;
  if (asked.is_unix()
      || ::getsockname(fd, reinterpret_cast<sockaddr*>(&endpoint.storage), &endpoint.size) != 0) {
    return asked;
  }
  return {.host = asked.host, .port = address_of(endpoint).port};
}

}  // namespace

Result<std::unique_ptr<Listener>> Loop::listen(Address address, AcceptCallback accepted) {
  SHERD_DCHECK(in_thread());
  SHERD_TRY(const Endpoint endpoint, endpoint_to_listen_on(address));
  SHERD_TRY(const int fd, open_socket(endpoint));
  if (bind_socket(fd, endpoint, address) != 0 || ::listen(fd, SOMAXCONN) != 0) {
    const int error = errno;
    ::close(fd);
    return fail(
        ErrorCode::kCannotConnect,
        fmt::format("could not listen on {}: {}", to_string(address), strerror(error))
    );
  }
  Address bound = bound_address(fd, address);
  return std::make_unique<ListenerOfCore>(*core_, fd, std::move(bound), std::move(accepted));
}

}  // namespace sherd::net
