#pragma once

#include <cstdint>
#include <string>

#include <sherd/base/error.hpp>

namespace sherd::net {

/// Where a server listens, in the manner of libpq: a `host` that begins with '/' is the folder of
/// the unix socket "host/.s.PGSQL.port"; else it is an IPv4 or IPv6 literal or a name.
struct Address {
  std::string host;
  std::uint16_t port = 0;

  [[nodiscard]] bool is_unix() const noexcept { return host.starts_with('/'); }
  [[nodiscard]] bool operator==(const Address&) const = default;
};

/// "host:port", "[::1]:port" or the path of the unix socket.
[[nodiscard]] std::string to_string(const Address& address);

/// The peer of a connected socket. A unix peer has the host "/" and port 0. kIo if it is gone.
[[nodiscard]] Result<Address> peer_address(int fd);

}  // namespace sherd::net
