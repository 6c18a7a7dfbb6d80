#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include <sherd/base/error.hpp>
#include <sherd/exec/sink.hpp>
#include <sherd/net/async.hpp>
#include <sherd/pgconn/connection.hpp>

namespace sherd::exec {

/// Messages of the shard that answer what the router added to the request, not the client.
struct Swallow {
  unsigned parse_complete = 0;
  unsigned bind_complete = 0;
  unsigned close_complete = 0;
};

/// What a client has been told about a shard's answer by the time it ended.
struct RelayOutcome {
  wire::TransactionStatus status = wire::TransactionStatus::kIdle;
  bool failed = false;     // an ErrorResponse went through
  std::string sqlstate{};  // of it
};

/// Tier 0: one shard's answer, byte for byte, to one client; all but ReadyForQuery. A client that
/// reads slowly pauses the shard.
class Relay final : public pgconn::ReplyHandler {
 public:
  Relay(net::Loop& loop, pgconn::Connection& connection, ResultSink& sink, Swallow swallow = {});
  ~Relay() override;

  /// Called when the shard asks for COPY data; the relay goes on afterwards.
  void set_copy_in(std::function<void()> begins) { copy_in_ = std::move(begins); }
  /// Called when the answer has ended.
  void set_finished(std::function<void()> finished) { finished_ = std::move(finished); }
  /// What of `swallow` has not come: a Parse that failed leaves its ParseComplete here.
  [[nodiscard]] const Swallow& not_swallowed() const noexcept { return swallow_; }
  /// kConnectionFailed when the shard went away in mid-answer.
  [[nodiscard]] net::Task<Result<RelayOutcome>> wait() { return done_.wait(); }
  [[nodiscard]] bool is_done() const noexcept { return done_.is_set(); }
  /// Something of the answer has gone to the client.
  [[nodiscard]] bool has_sent() const noexcept { return has_sent_; }

  void on_relay(net::Slice bytes) override;
  void on_message(char type, const net::Slice& whole) override;
  void on_ready(wire::TransactionStatus status) override;
  void on_lost(const Error& error) override;

 private:
  [[nodiscard]] bool swallows(char type) noexcept;
  void forward(net::Slice bytes);
  void end(Result<RelayOutcome> outcome);

  pgconn::Connection& connection_;
  ResultSink& sink_;
  Swallow swallow_;
  RelayOutcome outcome_{};
  std::function<void()> copy_in_{};
  std::function<void()> finished_{};
  bool has_sent_ = false;
  bool is_waiting_for_client_ = false;
  net::OneShot<Result<RelayOutcome>> done_;
};

}  // namespace sherd::exec
