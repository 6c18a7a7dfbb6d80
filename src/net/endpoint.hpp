#pragma once

#include <optional>
#include <string>

#include <sys/socket.h>

#include <sherd/base/error.hpp>
#include <sherd/net/address.hpp>

namespace sherd::net {

/// A socket address of the kernel.
struct Endpoint {
  sockaddr_storage storage{};
  socklen_t size = 0;

  [[nodiscard]] const sockaddr* get() const noexcept {
    return reinterpret_cast<const sockaddr*>(&storage);
  }
  [[nodiscard]] int family() const noexcept { return storage.ss_family; }
};

/// Path of the unix socket of `address`. REQUIRES address.is_unix().
[[nodiscard]] std::string unix_path(const Address& address);
/// The endpoint of a unix or literal address; nullopt for a name. kCannotConnect when the path is
/// too long for a unix socket.
[[nodiscard]] Result<std::optional<Endpoint>> literal_endpoint(const Address& address);
/// The address in words; a unix one is {"/", 0}.
[[nodiscard]] Address address_of(const Endpoint& endpoint);
[[nodiscard]] Endpoint make_endpoint(const sockaddr* from, socklen_t size) noexcept;
/// A non-blocking, close-on-exec stream socket for `endpoint`. kIo.
[[nodiscard]] Result<int> open_socket(const Endpoint& endpoint);
/// Non-blocking; on TCP no delay and keep-alive (a vanished peer is noticed after 90 s of silence).
void set_stream_options(int fd) noexcept;

}  // namespace sherd::net
