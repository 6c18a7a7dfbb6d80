#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <vector>

#include <sherd/net/async.hpp>
#include <sherd/pgconn/connection.hpp>

namespace sherd::pool {

class ShardPool;

/// The right to use one server connection, and the way back. Dropping it without `release` discards
/// the connection: whoever was interrupted cannot know its state. Must not outlive its pool.
class Lease {
 public:
  Lease() noexcept = default;
  Lease(Lease&& other) noexcept
      : pool_(std::exchange(other.pool_, nullptr)), connection_(std::move(other.connection_)) {}
  Lease& operator=(Lease&& other) noexcept {
    if (this != &other) {
      discard();
      pool_ = std::exchange(other.pool_, nullptr);
      connection_ = std::move(other.connection_);
    }
    return *this;
  }
  ~Lease() { discard(); }

  [[nodiscard]] explicit operator bool() const noexcept { return connection_ != nullptr; }
  [[nodiscard]] pgconn::Connection* operator->() const noexcept { return connection_.get(); }
  [[nodiscard]] pgconn::Connection& operator*() const noexcept { return *connection_; }

  /// Gives the connection back, to the first that waits or to the idle ones. A connection with a
  /// reply outstanding, inside a transaction, or broken is closed instead.
  void release();
  /// Closes the connection.
  void discard() noexcept;

 private:
  friend class ShardPool;
  Lease(ShardPool& pool, std::unique_ptr<pgconn::Connection> connection) noexcept
      : pool_(&pool), connection_(std::move(connection)) {}

  ShardPool* pool_ = nullptr;  // a slot of it is ours, with or without a connection in it
  std::unique_ptr<pgconn::Connection> connection_;
};

struct PoolOptions {
  std::size_t size = 20;  // connections at most
  Duration connect_timeout = std::chrono::seconds(5);
  Duration idle_timeout = std::chrono::minutes(10);  // 0: never
  Duration max_lifetime = std::chrono::hours(1);     // 0: never
};

/// What SHOW POOLS tells.
struct PoolCounts {
  std::size_t idle = 0;
  std::size_t in_use = 0;
  std::size_t waiting = 0;
  std::uint64_t opened = 0;
  std::uint64_t handed_out = 0;
};

/// Server connections of one shard and user, in one thread. Idle ones are used last in, first out:
/// few busy connections beat many idle ones. Waiters are served first come, first served.
class ShardPool {
 public:
  ShardPool(net::Loop& loop, pgconn::ConnectOptions connect, PoolOptions options);
  ~ShardPool();
  ShardPool(const ShardPool&) = delete;
  ShardPool& operator=(const ShardPool&) = delete;

  /// An idle connection, if there is one and nobody waits. Cost: no allocation.
  [[nodiscard]] std::optional<Lease> try_acquire();
  /// A connection: idle, new, or the next that is given back. kTooManyConnections when `deadline`
  /// passes first; what Connection::open says when a new one cannot be had.
  [[nodiscard]] net::Task<Result<Lease>> acquire(Deadline deadline);

  /// Closes what has been idle or alive for too long.
  void reap(TimePoint now);
  /// Closes all idle connections, and those in use when they come back (RECONNECT, a changed
  /// shard).
  void renew();
  [[nodiscard]] PoolCounts counts() const noexcept;
  [[nodiscard]] const pgconn::ConnectOptions& connect_options() const noexcept { return connect_; }
  /// Calls `visit` for each idle connection.
  void for_each_idle(const std::function<void(const pgconn::Connection&)>& visit) const;

 private:
  friend class Lease;
  struct Idle {
    std::unique_ptr<pgconn::Connection> connection;
    TimePoint since;
  };
  using Waiting = net::OneShot<Lease>;

  [[nodiscard]] net::Task<Result<Lease>> open(Lease slot, Deadline deadline);
  void take_back(std::unique_ptr<pgconn::Connection> connection);
  void free_slot() noexcept;
  void drop_idle(const pgconn::Connection* connection);
  [[nodiscard]] bool is_too_old(const pgconn::Connection& connection, TimePoint now) const noexcept;

  net::Loop& loop_;
  pgconn::ConnectOptions connect_;
  PoolOptions options_;
  std::vector<Idle> idle_{};
  std::list<Waiting*> waiting_{};
  std::size_t slots_used_ = 0;  // idle, leased, and being opened
  std::uint64_t opened_ = 0;
  std::uint64_t handed_out_ = 0;
  TimePoint renewed_at_{};
};

}  // namespace sherd::pool
