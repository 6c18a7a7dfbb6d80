#pragma once

#include <functional>
#include <memory>

#include <sherd/engine/cluster.hpp>
#include <sherd/engine/worker.hpp>
#include <sherd/net/async.hpp>
#include <sherd/proxy/server.hpp>

#include "configuration.hpp"

namespace sherd::program {

/// A whole router in this process: state, cluster, server, housekeeping. `sherd serve` and `sherd
/// dev` run one.
class Router {
 public:
  explicit Router(Loaded loaded);
  ~Router();
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  /// Brings it up: afterwards clients can connect.
  [[nodiscard]] Result<> start();
  [[nodiscard]] std::uint16_t port() const noexcept { return server_->port(); }
  /// Runs until SIGTERM or SIGINT; SIGHUP reloads. REQUIRES that these signals are blocked in every
  /// thread.
  void run();
  /// Drains and ends.
  void stop();

 private:
  [[nodiscard]] Result<> lock_state();
  [[nodiscard]] Result<> reload();
  [[nodiscard]] net::Task<void> housekeeping();

  Loaded loaded_;
  std::string mock_key_;
  int lock_ = -1;  // beside the state, held while we run
  std::unique_ptr<net::Loop> loop_;
  std::unique_ptr<engine::Cluster> cluster_;
  std::unique_ptr<engine::Worker> control_;
  std::unique_ptr<net::TaskGroup> tasks_;
  std::unique_ptr<proxy::Server> server_;
};

/// Blocks SIGINT, SIGTERM and SIGHUP in this thread and those it will make, and ignores SIGPIPE.
void block_signals();

}  // namespace sherd::program
