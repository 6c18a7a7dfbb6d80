#include "endpoint.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

namespace sherd::net {

namespace {

// A peer that says nothing is asked after a minute, three times.
constexpr int kKeepAliveIdleSeconds = 60;
constexpr int kKeepAliveIntervalSeconds = 10;
constexpr int kKeepAliveProbes = 3;

void set_option(int fd, int level, int name, int value) noexcept {
  // An option that this kind of socket lacks is no reason to give the connection up.
  [[maybe_unused]] const int done = ::setsockopt(fd, level, name, &value, sizeof value);
}

template <class Native>
Endpoint endpoint_of(const Native& native) noexcept {
  return make_endpoint(reinterpret_cast<const sockaddr*>(&native), sizeof native);
}

Result<Endpoint> unix_endpoint(const Address& address) {
  sockaddr_un native{};
  native.sun_family = AF_UNIX;
  const std::string path = unix_path(address);
  if (path.size() >= sizeof native.sun_path) {
    return fail(
        ErrorCode::kCannotConnect, fmt::format(
                                       "the path of unix socket \"{}\" has {} bytes, limit {}",
                                       path, path.size(), sizeof native.sun_path - 1
                                   )
    );
  }
  std::ranges::copy(path, native.sun_path);
  return endpoint_of(native);
}

}  // namespace

Endpoint make_endpoint(const sockaddr* from, socklen_t size) noexcept {
  Endpoint endpoint;
  endpoint.size = std::min<socklen_t>(size, sizeof endpoint.storage);
  std::memcpy(&endpoint.storage, from, endpoint.size);
  return endpoint;
}

std::string unix_path(const Address& address) {
  return fmt::format("{}/.s.PGSQL.{}", address.host, address.port);
}

Result<std::optional<Endpoint>> literal_endpoint(const Address& address) {
  if (address.is_unix()) {
    SHERD_TRY(const Endpoint endpoint, unix_endpoint(address));
    return endpoint;
  }
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(address.port);
  if (::inet_pton(AF_INET, address.host.c_str(), &v4.sin_addr) == 1) {
    return endpoint_of(v4);
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(address.port);
  if (::inet_pton(AF_INET6, address.host.c_str(), &v6.sin6_addr) == 1) {
    return endpoint_of(v6);
  }
  return std::nullopt;
}

Result<int> open_socket(const Endpoint& endpoint) {
  const int fd = ::socket(endpoint.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return fail(ErrorCode::kIo, fmt::format("could not make a socket: {}", strerror(errno)));
  }
  return fd;
}

void set_stream_options(int fd) noexcept {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags >= 0 && (flags & O_NONBLOCK) == 0) {
    ::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  }
  int domain = 0;
  socklen_t size = sizeof domain;
  if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain == AF_UNIX) {
    return;
  }
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveIdleSeconds);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveIntervalSeconds);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveProbes);
}

}  // namespace sherd::net
