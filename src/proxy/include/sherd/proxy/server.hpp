#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <sherd/engine/cluster.hpp>
#include <sherd/engine/worker.hpp>
#include <sherd/net/async.hpp>
#include <sherd/proxy/accounts.hpp>

namespace sherd::proxy {

class Client;
class Server;

struct ServerOptions {
  std::string host{"127.0.0.1"};  // "" listens on no TCP address
  std::uint16_t port = 6432;      // 0: any free one
  std::string socket_dir{};
  std::size_t workers = 1;
  std::size_t max_clients = 1000;
  Duration startup_timeout = std::chrono::seconds(15);
  Duration drain_timeout = std::chrono::seconds(30);
  net::EngineKind engine = net::EngineKind::kAuto;
  std::string version{};
  std::string config_text{};  // for SHOW CONFIG, without secrets
};

/// One thread with its loop, its engine worker and its clients.
class WorkerThread {
 public:
  WorkerThread(Server& server, std::unique_ptr<net::Loop> loop, std::size_t index);
  ~WorkerThread();
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;

  [[nodiscard]] net::Loop& loop() noexcept { return *loop_; }
  [[nodiscard]] engine::Worker& worker() noexcept { return *worker_; }
  [[nodiscard]] Server& server() noexcept { return server_; }
  /// Takes an accepted socket over. The loop's thread only.
  void add(int fd);
  [[nodiscard]] const std::set<Client*>& clients() const noexcept { return clients_; }
  void start();
  /// Ends clients as their transactions end, all of them at the deadline, then the thread. Any
  /// thread.
  void stop(Deadline deadline);
  void join();

 private:
  [[nodiscard]] net::Task<void> serve(std::unique_ptr<Client> client);
  [[nodiscard]] net::Task<void> drain(Deadline deadline);

  Server& server_;
  std::unique_ptr<net::Loop> loop_;
  std::unique_ptr<engine::Worker> worker_;
  std::unique_ptr<net::TaskGroup> tasks_;
  std::set<Client*> clients_;
  std::thread thread_;
};

/// The PostgreSQL server face: listens, and gives each client to a thread in turn.
class Server {
 public:
  Server(engine::Cluster& cluster, ServerOptions options, AccountsPtr accounts);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Makes the threads; `control` is the loop that accepts. kCannotConnect when the address is
  /// taken.
  [[nodiscard]] Result<> start(net::Loop& control);
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  /// Accepts no more, drains the threads and joins them.
  void stop();

  [[nodiscard]] engine::Cluster& cluster() noexcept { return cluster_; }
  [[nodiscard]] const ServerOptions& options() const noexcept { return options_; }
  [[nodiscard]] AccountsPtr accounts() const;
  void set_accounts(AccountsPtr accounts);
  [[nodiscard]] const std::vector<std::unique_ptr<WorkerThread>>& threads() const noexcept {
    return threads_;
  }
  /// Hands a CancelRequest to the thread whose session it is for. Any thread.
  void cancel(std::uint32_t process_id, std::string secret);
  /// RELOAD of the console and SIGHUP; set by the program. Any thread.
  void set_reload(std::function<Result<>()> reload) { reload_ = std::move(reload); }
  [[nodiscard]] Result<> reload() { return reload_ ? reload_() : Result<>{}; }

  [[nodiscard]] bool may_connect() noexcept {
    return connected_.fetch_add(1) < options_.max_clients;
  }
  void disconnected() noexcept { connected_.fetch_sub(1); }

 private:
  engine::Cluster& cluster_;
  ServerOptions options_;
  std::vector<std::unique_ptr<WorkerThread>> threads_{};
  std::vector<std::unique_ptr<net::Listener>> listeners_{};
  std::size_t next_thread_ = 0;
  std::uint16_t port_ = 0;
  std::atomic<std::size_t> connected_{0};
  std::function<Result<>()> reload_{};
  mutable std::mutex mutex_;  // guards accounts_
  AccountsPtr accounts_;
};

}  // namespace sherd::proxy
