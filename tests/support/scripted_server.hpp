#pragma once

#include <cstdlib>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include <sherd/base/bytes.hpp>
#include <sherd/net/async.hpp>
#include <sherd/pgconn/connection.hpp>
#include <sherd/wire/build.hpp>
#include <sherd/wire/startup.hpp>

/// A server that says what a test wants it to say, on a unix socket of the test's own loop.
namespace sherd::testing_support {

/// The reply to a login, up to the first ReadyForQuery.
inline std::string login_reply() {
  std::string out;
  wire::append_authentication(out, wire::AuthRequest::kOk);
  wire::append_parameter_status(out, "server_version", "15.0");
  wire::append_backend_key_data(out, 7, as_bytes(std::string_view("keys")));
  wire::append_ready(out, wire::TransactionStatus::kIdle);
  return out;
}

inline std::string ready(wire::TransactionStatus status = wire::TransactionStatus::kIdle) {
  std::string out;
  wire::append_ready(out, status);
  return out;
}

inline std::string complete(std::string_view tag) {
  std::string out;
  wire::append_command_complete(out, tag);
  return out;
}

inline std::string failure(std::string code, std::string message) {
  wire::ErrorFields fields;
  fields.severity = "ERROR";
  fields.code = std::move(code);
  fields.message = std::move(message);
  std::string out;
  wire::append_error(out, fields);
  return out;
}

/// RowDescription of int4 columns.
inline std::string description(const std::vector<std::string>& names) {
  std::vector<wire::FieldDescription> fields;
  for (const std::string& name : names) {
    fields.push_back({.name = name, .type_oid = 23, .type_length = 4});
  }
  std::string out;
  EXPECT_TRUE(wire::append_row_description(out, fields));
  return out;
}

inline std::string row(const std::vector<std::string>& values) {
  std::vector<wire::Value> cells;
  for (const std::string& value : values) {
    cells.emplace_back(as_bytes(value));
  }
  std::string out;
  EXPECT_TRUE(wire::append_data_row(out, cells));
  return out;
}

inline std::string message(char type, std::string_view body = {}) {
  std::string out(1, type);
  append_be(out, static_cast<std::uint32_t>(body.size() + 4));
  return out.append(body);
}

class ScriptedServer;

/// One accepted connection.
class Peer final : private net::StreamHandler {
 public:
  Peer(ScriptedServer& server, std::unique_ptr<net::Stream> stream)
      : server_(server), stream_(std::move(stream)) {
    stream_->set_handler(this);
  }

  void send(std::string_view bytes) { stream_->send_copy(bytes); }
  void close() {
    is_closed_ = true;
    stream_->close();
  }
  /// Sends, then closes.
  void send_and_close(std::string_view bytes);
  [[nodiscard]] bool is_closed() const noexcept { return is_closed_; }
  [[nodiscard]] bool has_logged_in() const noexcept { return has_started_; }
  [[nodiscard]] std::size_t queued_bytes() const noexcept { return stream_->queued_bytes(); }

 private:
  void on_bytes(net::Slice bytes) override;
  void on_closed(const Error&) override { close(); }
  [[nodiscard]] bool take_startup();

  ScriptedServer& server_;
  std::unique_ptr<net::Stream> stream_;
  std::string input_{};
  bool has_started_ = false;
  bool is_closed_ = false;
};

class ScriptedServer {
 public:
  explicit ScriptedServer(net::Loop& loop, std::string name = "s1") : name_(std::move(name)) {
    std::string folder = (std::filesystem::temp_directory_path() / "sherd_script_XXXXXX").string();
    EXPECT_NE(::mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    auto made = loop.listen({.host = folder_, .port = 5432}, [this, &loop](int fd) {
      peers.push_back(std::make_unique<Peer>(*this, loop.adopt(fd)));
    });
    EXPECT_TRUE(made);
    listener_ = *std::move(made);
  }
  ~ScriptedServer() {
    peers.clear();
    listener_.reset();
    std::filesystem::remove_all(folder_);
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  [[nodiscard]] pgconn::ConnectOptions options() const {
    return {
        .address = {.host = folder_, .port = 5432}, .user = "u", .database = "d", .shard = name_
    };
  }
  [[nodiscard]] std::size_t alive() const {
    std::size_t count = 0;
    for (const auto& peer : peers) {
      count += peer->is_closed() || !peer->has_logged_in() ? 0U : 1U;
    }
    return count;
  }

  /// What a login gets; empty: nothing.
  std::function<void(Peer&)> when_login = [](Peer& peer) { peer.send(login_reply()); };
  /// Every message but Terminate: type and body without its header.
  std::function<void(Peer&, char type, std::string_view body)> when_message =
      [](Peer& peer, char, std::string_view) { peer.send(complete("SELECT 0") + ready()); };
  std::function<void()> when_cancel{};
  int cancels = 0;
  int terminates = 0;
  std::vector<std::unique_ptr<Peer>> peers{};

 private:
  std::string name_;
  std::string folder_{};
  std::unique_ptr<net::Listener> listener_{};
};

inline void Peer::send_and_close(std::string_view bytes) {
  stream_->send_copy(bytes);
  stream_->close_after_send(Deadline::after(system_clock(), std::chrono::seconds(5)));
  is_closed_ = true;
}

inline std::uint32_t number_at(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    value = value << 8U | static_cast<unsigned char>(bytes[at + i]);
  }
  return value;
}

// The first packet of a connection has no type. False: more is needed, or there is nothing more.
inline bool Peer::take_startup() {
  constexpr std::uint32_t kCancelCode = 80877102;
  if (input_.size() < 8 || input_.size() < number_at(input_, 0)) {
    return false;
  }
  const std::uint32_t code = number_at(input_, 4);
  input_.erase(0, number_at(input_, 0));
  if (code == kCancelCode) {
    ++server_.cancels;
    close();
    if (server_.when_cancel) {
      server_.when_cancel();
    }
    return false;
  }
  has_started_ = true;
  server_.when_login(*this);
  return !is_closed_;
}

inline void Peer::on_bytes(net::Slice bytes) {
  input_ += bytes.text();
  if (!has_started_ && !take_startup()) {
    return;
  }
  while (!is_closed_ && input_.size() >= 5 && input_.size() >= 1 + number_at(input_, 1)) {
    const std::string whole = input_.substr(0, 1 + number_at(input_, 1));
    input_.erase(0, whole.size());
    if (whole.front() == 'X') {
      ++server_.terminates;
      return close();
    }
    server_.when_message(*this, whole.front(), std::string_view(whole).substr(5));
  }
}

/// A loop whose tasks are waited for, and descriptors that are counted.
class ScriptedTest : public testing::Test {
 protected:
  void SetUp() override {
    auto made = net::Loop::create({});
    ASSERT_TRUE(made);
    loop = *std::move(made);
  }
  template <class T>
  T run(net::Task<T> task) {
    return net::blocking_run(*loop, std::move(task));
  }
  /// Lets the loop turn until `condition` holds; false after 20 s.
  [[nodiscard]] bool run_until(const std::function<bool()>& condition) {
    const TimePoint limit = system_clock().now() + std::chrono::seconds(20);
    while (!condition()) {
      if (system_clock().now() > limit) {
        return false;
      }
      run_for(std::chrono::microseconds(200));
    }
    return true;
  }
  void run_for(Duration span) {
    loop->start_timer(system_clock().now() + span, [this] { loop->stop(); });
    loop->run();
  }
  [[nodiscard]] static Deadline soon() {
    return Deadline::after(system_clock(), std::chrono::seconds(20));
  }
  [[nodiscard]] Result<std::unique_ptr<pgconn::Connection>> open(ScriptedServer& server) {
    return run(pgconn::Connection::open(*loop, server.options(), soon()));
  }

  std::unique_ptr<net::Loop> loop;
};

}  // namespace sherd::testing_support
