#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sherd/base/clock.hpp>
#include <sherd/base/error.hpp>
#include <sherd/net/async.hpp>
#include <sherd/net/loop.hpp>
#include <sherd/net/slice.hpp>
#include <sherd/net/stream.hpp>
#include <sherd/pgconn/statements.hpp>
#include <sherd/wire/backend.hpp>
#include <sherd/wire/frame.hpp>

namespace sherd::pgconn {

/// Receives the answer to one request, up to its ReadyForQuery. Exactly one of on_ready and on_lost
/// is the last call. A handler may discard its connection from inside any call.
class ReplyHandler {
 public:
  virtual ~ReplyHandler() = default;
  /// Relay mode only: messages that nobody on the way needs to look into (rows, copy data, tags),
  /// whole or cut anywhere, in order with on_message.
  virtual void on_relay(net::Slice bytes) { (void)bytes; }
  /// A whole message with its header: each one in message mode, those that matter to a session in
  /// relay mode (errors, notices, parameters, the beginnings of COPY).
  virtual void on_message(char type, const net::Slice& whole) = 0;
  virtual void on_ready(wire::TransactionStatus status) = 0;
  virtual void on_lost(const Error& error) = 0;
};

enum class ReplyMode : std::uint8_t { kMessages, kRelay };

struct ConnectOptions {
  net::Address address{};
  std::string user{};
  std::string password{};
  std::string database{};
  std::string shard{};  // name, for errors
  std::uint32_t max_message_bytes = wire::kMaxMessageBytes;
  std::vector<std::pair<std::string, std::string>> settings{};  // startup parameters
};

/// Rows of a statement that the router itself asked, as text.
struct ResultSet {
  std::vector<wire::FieldDescription> fields{};
  std::vector<std::vector<std::optional<std::string>>> rows{};
  std::string tag{};
};

/// Run-time parameters that were SET on a connection, so that a session can tell what to change.
struct AppliedSettings {
  std::map<std::string, std::string, std::less<>> values{};
  std::uint64_t fingerprint = 0;  // of values, by whoever keeps them
  bool is_known = true;           // false after a rolled-back SET: reset all of them first
};

/// What CancelRequest needs.
struct CancelKey {
  std::uint32_t process_id = 0;
  std::string secret{};
};

/// One authenticated connection to a shard. Requests may be pipelined: replies come in their order.
/// Thread: its loop's only.
class Connection final : private net::StreamHandler {
 public:
  /// Connects and logs in. kCannotConnect, kTimeout, kInvalidPassword, or the shard's own error.
  [[nodiscard]] static net::Task<Result<std::unique_ptr<Connection>>> open(
      net::Loop& loop, ConnectOptions options, Deadline deadline
  );
  /// Asks the shard to cancel what `key` is running: on a connection of its own, done when the
  /// shard has closed it.
  [[nodiscard]] static net::Task<Result<>> cancel(
      net::Loop& loop, net::Address address, CancelKey key, Deadline deadline
  );
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Appends bytes to the output.
  void send(net::Slice bytes) { stream_->send(std::move(bytes)); }
  void send_copy(std::string_view bytes) { stream_->send_copy(bytes); }
  /// Announces a request whose bytes are being sent: its reply ends with one ReadyForQuery.
  /// @param handler  borrowed until its last call, or until the connection is destroyed.
  void expect(ReplyHandler& handler, ReplyMode mode);

  /// Runs `sql` (simple protocol) and gathers its rows; the last statement's if there are several.
  /// kShardError with the shard's SQLSTATE; kConnectionFailed; kTimeout (the connection is then
  /// broken); kConfigLimit past 64 MiB of rows.
  [[nodiscard]] net::Task<Result<ResultSet>> query(std::string sql, Deadline deadline);

  /// No reply outstanding, and the peer is there.
  [[nodiscard]] bool is_idle() const noexcept { return expected_.empty() && !is_broken_; }
  [[nodiscard]] bool is_broken() const noexcept { return is_broken_; }
  [[nodiscard]] std::size_t outstanding() const noexcept { return expected_.size(); }
  /// Of the last ReadyForQuery.
  [[nodiscard]] wire::TransactionStatus status() const noexcept { return status_; }
  /// What the server has reported by ParameterStatus.
  [[nodiscard]] const std::map<std::string, std::string, std::less<>>& parameters() const noexcept {
    return parameters_;
  }
  [[nodiscard]] const CancelKey& cancel_key() const noexcept { return cancel_key_; }
  [[nodiscard]] const ConnectOptions& options() const noexcept { return options_; }
  [[nodiscard]] StatementCache& statements() noexcept { return statements_; }
  [[nodiscard]] AppliedSettings& applied() noexcept { return applied_; }
  [[nodiscard]] std::size_t queued_bytes() const noexcept { return stream_->queued_bytes(); }
  [[nodiscard]] TimePoint opened_at() const noexcept { return opened_at_; }
  [[nodiscard]] std::uint64_t requests() const noexcept { return requests_; }

  void pause() { stream_->pause(); }
  void resume() { stream_->resume(); }
  /// Told when the output queue has drained; nullptr for nobody.
  void set_drained(std::function<void()> drained) { drained_ = std::move(drained); }
  /// Told when an idle connection breaks or gets a notification; set by the pool.
  void set_idle_lost(std::function<void()> lost) { idle_lost_ = std::move(lost); }

  /// Closes at once; handlers that wait get on_lost(error).
  void fail(const Error& error);
  /// Says good-bye (Terminate) and closes. REQUIRES is_idle().
  void terminate();

 private:
  struct Watch;
  struct Expected {
    ReplyHandler* handler;
    ReplyMode mode;
  };
  Connection(net::Loop& loop, ConnectOptions options, std::unique_ptr<net::Stream> stream);

  void on_bytes(net::Slice chunk) override;
  void on_drained() override;
  void on_closed(const Error& error) override;

  /// False when the connection is gone or broken afterwards.
  [[nodiscard]] bool dispatch(char type, const net::Slice& whole);
  [[nodiscard]] bool on_unexpected(char type, const net::Slice& whole);
  void ready(wire::TransactionStatus status);
  [[nodiscard]] bool relays(char type) const noexcept;
  void note_parameter(Bytes body);

  net::Loop& loop_;
  ConnectOptions options_;
  std::unique_ptr<net::Stream> stream_;
  wire::FrameScanner scanner_;
  std::string gathered_{};  // a control message that chunks cut
  std::deque<Expected> expected_{};
  std::map<std::string, std::string, std::less<>> parameters_{};
  CancelKey cancel_key_{};
  StatementCache statements_{};
  AppliedSettings applied_{};
  std::function<void()> drained_{};
  std::function<void()> idle_lost_{};
  TimePoint opened_at_{};
  std::uint64_t requests_ = 0;
  wire::TransactionStatus status_ = wire::TransactionStatus::kIdle;
  bool is_broken_ = false;
  bool* destroyed_ = nullptr;  // set while on_bytes runs: told when we are destroyed inside it
};

}  // namespace sherd::pgconn
