#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sherd/net/loop.hpp>

#include "endpoint.hpp"
#include "source.hpp"

namespace sherd::net {

/// One Loop::connect: looks the name up, then tries the endpoints one after the other until one
/// answers or the deadline passes. Belongs to the core, which it leaves when it is done.
class Connecting {
 public:
  Connecting(
      LoopCore& core, std::uint64_t number, Address address, Deadline deadline, ConnectCallback done
  );
  ~Connecting();
  Connecting(const Connecting&) = delete;
  Connecting& operator=(const Connecting&) = delete;

  void begin();

 private:
  void on_endpoints(Result<std::vector<Endpoint>> endpoints);
  void try_current();
  void try_next(std::string reason);
  void retry_later();
  void on_writable();
  void drop_attempt() noexcept;
  void succeed(int fd);
  void finish(Result<std::unique_ptr<Stream>> result);

  LoopCore& core_;
  const std::uint64_t number_;
  const Address address_;
  const Deadline deadline_;
  ConnectCallback done_;

  std::vector<Endpoint> endpoints_;
  std::size_t current_ = 0;
  std::string reason_ = "no address";  // why the last attempt failed
  Watch* watch_ = nullptr;             // owns the socket of the current attempt
  Duration pause_ = std::chrono::milliseconds(1);
  TimerId deadline_timer_ = TimerId::kNone;
  TimerId retry_timer_ = TimerId::kNone;
};

}  // namespace sherd::net
