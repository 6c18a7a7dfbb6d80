#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sherd/engine/session.hpp>
#include <sherd/net/async.hpp>
#include <sherd/net/stream.hpp>
#include <sherd/proxy/accounts.hpp>
#include <sherd/wire/auth.hpp>
#include <sherd/wire/frame.hpp>
#include <sherd/wire/startup.hpp>

namespace sherd::proxy {

class Console;
class WorkerThread;

/// One client connection, from its first byte to its last: start-up, login, then statements for a
/// session or the console. Thread: its worker's.
class Client final : public engine::ClientPort, private net::StreamHandler {
 public:
  Client(WorkerThread& home, std::unique_ptr<net::Stream> stream, std::string peer);
  ~Client() override;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Runs until the client is gone.
  [[nodiscard]] net::Task<void> run();
  /// Ends the connection with FATAL 57P01: at once, or when no transaction is open.
  void shut_down(bool at_once);
  [[nodiscard]] bool is_authenticated() const noexcept { return is_authenticated_; }
  [[nodiscard]] engine::Session* session() noexcept { return session_.get(); }

  // ClientPort
  void send(net::Slice bytes) override { stream_->send(std::move(bytes)); }
  void send_copy(std::string_view bytes) override { stream_->send_copy(bytes); }
  [[nodiscard]] std::size_t queued_bytes() const override { return stream_->queued_bytes(); }
  [[nodiscard]] std::size_t limit_bytes() const override;
  void when_drained(std::function<void()> drained) override;
  [[nodiscard]] net::Task<Result<engine::ClientMessage>> next() override;
  void interrupt() override;
  [[nodiscard]] std::string describe() const override;

 private:
  enum class Phase : std::uint8_t { kStartup, kLogin, kReady, kClosed };

  void on_bytes(net::Slice chunk) override;
  void on_drained() override;
  void on_closed(const Error& error) override;

  void on_startup_bytes(Bytes& rest);
  void begin_login();
  void on_login_message(const wire::Message& message);
  void logged_in();
  void take_messages(const net::Slice& chunk, Bytes rest);
  void push(char type, net::Slice whole);
  void fatal(const Error& error);
  void wake();

  [[nodiscard]] net::Task<Result<>> greet();
  [[nodiscard]] net::Task<void> serve();
  [[nodiscard]] net::Task<bool> handle(engine::ClientMessage message);
  [[nodiscard]] net::Task<void> run_batch(bool is_sync);

  WorkerThread& home_;
  std::unique_ptr<net::Stream> stream_;
  std::string peer_;
  std::string user_{};
  std::string database_{};
  AccountsPtr accounts_{};
  Phase phase_ = Phase::kStartup;
  bool is_authenticated_ = false;
  bool is_closed_ = false;  // no more input
  bool is_interrupted_ = false;
  bool is_shutting_down_ = false;
  bool is_waiting_ = false;  // in next()
  wire::StartupMachine startup_;
  std::optional<wire::ServerAuth> auth_{};
  wire::MessageAssembler assembler_;
  std::deque<engine::ClientMessage> inbox_{};
  std::size_t inbox_bytes_ = 0;
  std::vector<engine::ClientMessage> batch_{};
  std::size_t batch_bytes_ = 0;
  std::unique_ptr<net::OneShot<>> waiting_{};
  net::OneShot<> login_done_;
  std::function<void()> drained_{};
  net::TimerId login_timer_ = net::TimerId::kNone;
  std::unique_ptr<engine::Session> session_{};
  std::unique_ptr<Console> console_{};
};

}  // namespace sherd::proxy
