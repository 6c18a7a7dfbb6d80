#include "sherd/net/address.hpp"

#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include "endpoint.hpp"

namespace sherd::net {

std::string to_string(const Address& address) {
  if (address.is_unix()) {
    return unix_path(address);
  }
  const bool is_v6 = address.host.find(':') != std::string::npos;
  return is_v6 ? fmt::format("[{}]:{}", address.host, address.port)
               : fmt::format("{}:{}", address.host, address.port);
}

Address address_of(const Endpoint& endpoint) {
  char text[INET6_ADDRSTRLEN] = {};
  if (endpoint.family() == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&endpoint.storage);
    ::inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
    return {.host = text, .port = ntohs(v4->sin_port)};
  }
  if (endpoint.family() == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&endpoint.storage);
    ::inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
    return {.host = text, .port = ntohs(v6->sin6_port)};
  }
  return {.host = "/", .port = 0};
}

Result<Address> peer_address(int fd) {
  Endpoint endpoint;
  endpoint.size = sizeof endpoint.storage;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&endpoint.storage), &endpoint.size) != 0) {
    return fail(ErrorCode::kIo, fmt::format("the peer has no address: {}", strerror(errno)));
  }
  return address_of(endpoint);
}

}  // namespace sherd::net
