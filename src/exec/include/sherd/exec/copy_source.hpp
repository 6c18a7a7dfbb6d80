#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include <sherd/base/error.hpp>
#include <sherd/net/async.hpp>
#include <sherd/pgconn/connection.hpp>

namespace sherd::exec {

/// COPY TO STDOUT of one shard, taken piece by piece by a coroutine. Bounded: the shard is paused
/// while pieces wait here.
class CopySource final : public pgconn::ReplyHandler {
 public:
  CopySource(net::Loop& loop, pgconn::Connection& connection)
      : loop_(loop), connection_(connection) {}

  [[nodiscard]] Result<> start(const std::string& sql);
  /// The next CopyData message; nullopt at the end, once the shard is ready again.
  [[nodiscard]] net::Task<Result<std::optional<net::Slice>>> next();

  void on_message(char type, const net::Slice& whole) override;
  void on_ready(wire::TransactionStatus status) override;
  void on_lost(const Error& error) override;

 private:
  void wake();

  net::Loop& loop_;
  pgconn::Connection& connection_;
  std::deque<net::Slice> pieces_{};
  std::size_t held_bytes_ = 0;
  std::optional<Error> error_{};
  bool is_done_ = false;
  std::unique_ptr<net::OneShot<>> waiting_{};
};

}  // namespace sherd::exec
