#include <algorithm>

#include <fmt/format.h>

#include <sherd/base/check.hpp>
#include <sherd/pool/pool.hpp>
#include <sherd/wire/message.hpp>

namespace sherd::pool {

void Lease::release() {
  ShardPool* const pool = std::exchange(pool_, nullptr);
  if (pool == nullptr) {
    return;
  }
  if (connection_ && connection_->is_idle()
      && connection_->status() == wire::TransactionStatus::kIdle) {
    pool->take_back(std::move(connection_));
    return;
  }
  connection_.reset();
  pool->free_slot();
}

void Lease::discard() noexcept {
  connection_.reset();
  if (ShardPool* const pool = std::exchange(pool_, nullptr)) {
    pool->free_slot();
  }
}

ShardPool::ShardPool(net::Loop& loop, pgconn::ConnectOptions connect, PoolOptions options)
    : loop_(loop), connect_(std::move(connect)), options_(options) {}

ShardPool::~ShardPool() {
  idle_.clear();
  SHERD_CHECK(waiting_.empty());
}

std::optional<Lease> ShardPool::try_acquire() {
  if (idle_.empty() || !waiting_.empty()) {
    return std::nullopt;
  }
  Lease lease(*this, std::move(idle_.back().connection));
  idle_.pop_back();
  lease->set_idle_lost({});
  ++handed_out_;
  return lease;
}

net::Task<Result<Lease>> ShardPool::acquire(Deadline deadline) {
  if (auto lease = try_acquire()) {
    co_return *std::move(lease);
  }
  if (slots_used_ < options_.size && waiting_.empty()) {
    ++slots_used_;
    co_return co_await open(Lease(*this, nullptr), deadline);
  }
  Waiting turn(loop_);
  const auto place = waiting_.insert(waiting_.end(), &turn);
  struct Leave {  // also when this coroutine is destroyed while it waits
    std::list<Waiting*>& queue;
    std::list<Waiting*>::iterator place;
    Waiting& turn;
    ~Leave() {
      if (!turn.is_set()) {
        queue.erase(place);  // a turn that was given has been taken off already
      }
    }
  } leave{waiting_, place, turn};
  auto given = co_await turn.wait_until(deadline);
  if (!given) {
    co_return fail(
        ErrorCode::kTooManyConnections,
        fmt::format("no connection to shard {} became free in time", connect_.shard),
        fmt::format(
            "all {} are in use: raise [pool] size, or make transactions shorter", options_.size
        )
    );
  }
  if (*given) {
    ++handed_out_;
    co_return *std::move(given);
  }
  co_return co_await open(*std::move(given), deadline);  // a free slot without a connection
}

net::Task<Result<Lease>> ShardPool::open(Lease slot, Deadline deadline) {
  const Deadline limit = deadline.sooner(Deadline::after(loop_.clock(), options_.connect_timeout));
  auto connection = co_await pgconn::Connection::open(loop_, connect_, limit);
  if (!connection) {
    co_return std::unexpected(std::move(connection).error());
  }
  slot.connection_ = *std::move(connection);
  ++opened_;
  ++handed_out_;
  co_return std::move(slot);
}

void ShardPool::take_back(std::unique_ptr<pgconn::Connection> connection) {
  if (is_too_old(*connection, loop_.now())) {
    connection->terminate();
    connection.reset();
    free_slot();
    return;
  }
  connection->set_drained({});
  connection->resume();
  if (!waiting_.empty()) {
    Waiting* const next = waiting_.front();
    waiting_.pop_front();
    next->set(Lease(*this, std::move(connection)));
    return;
  }
  connection->set_idle_lost([this, lost = connection.get()] { drop_idle(lost); });
  idle_.push_back({std::move(connection), loop_.now()});
}

void ShardPool::free_slot() noexcept {
  if (!waiting_.empty()) {
    Waiting* const next = waiting_.front();
    waiting_.pop_front();
    next->set(Lease(*this, nullptr));  // the slot goes on to the next, who opens a connection
    return;
  }
  --slots_used_;
}

void ShardPool::drop_idle(const pgconn::Connection* connection) {
  const auto found = std::ranges::find_if(idle_, [&](const Idle& idle) {
    return idle.connection.get() == connection;
  });
  if (found != idle_.end()) {
    const auto doomed = std::move(found->connection);
    idle_.erase(found);
    free_slot();
  }
}

bool ShardPool::is_too_old(const pgconn::Connection& connection, TimePoint now) const noexcept {
  return connection.opened_at() < renewed_at_
         || (options_.max_lifetime.count() > 0
             && now - connection.opened_at() > options_.max_lifetime);
}

void ShardPool::reap(TimePoint now) {
  std::erase_if(idle_, [&](Idle& idle) {
    const bool is_stale =
        options_.idle_timeout.count() > 0 && now - idle.since > options_.idle_timeout;
    if (!is_stale && !is_too_old(*idle.connection, now)) {
      return false;
    }
    idle.connection->terminate();
    --slots_used_;  // nobody waits while something is idle
    return true;
  });
}

void ShardPool::renew() {
  renewed_at_ = loop_.now() + std::chrono::nanoseconds(1);
  reap(loop_.now());
}

PoolCounts ShardPool::counts() const noexcept {
  return {
      .idle = idle_.size(),
      .in_use = slots_used_ - idle_.size(),
      .waiting = waiting_.size(),
      .opened = opened_,
      .handed_out = handed_out_
  };
}

void ShardPool::for_each_idle(const std::function<void(const pgconn::Connection&)>& visit) const {
  for (const Idle& idle : idle_) {
    visit(*idle.connection);
  }
}

}  // namespace sherd::pool
