#include <fmt/format.h>

#include <sherd/pgconn/connection.hpp>
#include <sherd/wire/auth.hpp>
#include <sherd/wire/build.hpp>

namespace sherd::pgconn {
namespace {

Bytes body_of(const net::Slice& whole) {
  return whole.bytes().subspan(wire::kHeaderBytes);
}

// From the startup packet to the first ReadyForQuery.
class Login final : public ReplyHandler {
 public:
  Login(net::Loop& loop, Connection& connection, CancelKey& key)
      : connection_(connection),
        auth_(
            {.user = connection.options().user,
             .password = connection.options().password.empty()
                             ? std::nullopt
                             : std::optional(connection.options().password)},
            system_random(), {.allow_cleartext = connection.options().address.is_unix()}
        ),
        key_(key),
        done_(loop) {}

  void on_message(char type, const net::Slice& whole) override {
    const Bytes body = body_of(whole);
    switch (type) {
      case 'R':
        return on_auth(body);
      case 'K':
        return on_key(body);
      case 'E':
        return on_error(body);
      default:
        return;  // parameters are noted by the connection; notices are of no use here
    }
  }
  void on_ready(wire::TransactionStatus) override {
    if (is_authenticated_) {
      done_.set(Result<>{});
    } else {
      done_.set(std::unexpected(Error{
          .code = ErrorCode::kProtocolViolation,
          .message = "ready before login",
          .shard = connection_.options().shard
      }));
    }
  }
  void on_lost(const Error& error) override { done_.set(std::unexpected(error)); }

  [[nodiscard]] net::Task<Result<>> wait(Deadline deadline) { return done_.wait_until(deadline); }

 private:
  void on_auth(Bytes body) {
    std::string out;
    const auto progress = auth_.on_message(body, out);
    if (!progress) {
      Error error = progress.error();
      error.shard = connection_.options().shard;
      return connection_.fail(error);
    }
    is_authenticated_ = *progress == wire::AuthProgress::kDone;
    connection_.send_copy(out);
  }
  void on_key(Bytes body) {
    if (const auto data = wire::BackendKeyData::decode(body)) {
      key_ = {.process_id = data->process_id, .secret = std::string(as_text(data->secret))};
    }
  }
  void on_error(Bytes body) {
    const auto fields = wire::ErrorFields::decode(body);
    connection_.fail(
        fields ? wire::to_error(*fields, connection_.options().shard) : fields.error()
    );
  }

  Connection& connection_;
  wire::ClientAuth auth_;
  CancelKey& key_;
  net::OneShot<Result<>> done_;
  bool is_authenticated_ = false;
};

}  // namespace

net::Task<Result<std::unique_ptr<Connection>>> Connection::open(
    net::Loop& loop, ConnectOptions options, Deadline deadline
) {
  auto stream = co_await net::connect(loop, options.address, deadline);
  if (!stream) {
    Error error = std::move(stream).error();
    error.message = fmt::format("cannot reach shard {}: {}", options.shard, error.message);
    error.shard = options.shard;
    co_return std::unexpected(std::move(error));
  }
  std::unique_ptr<Connection> connection(
      new Connection(loop, std::move(options), *std::move(stream))
  );
  wire::StartupMessage startup;
  startup.parameters = {
      {"user", connection->options_.user},
      {"database", connection->options_.database},
      {"client_encoding", "UTF8"}
  };
  for (const auto& [name, value] : connection->options_.settings) {
    startup.parameters.push_back({name, value});
  }
  std::string bytes;
  SHERD_CO_TRY_VOID(wire::append_startup(bytes, startup));
  Login login(loop, *connection, connection->cancel_key_);
  connection->expect(login, ReplyMode::kMessages);
  connection->send_copy(bytes);
  const auto done = co_await login.wait(deadline);
  if (!done) {
    connection.reset();  // before `login`, which it may still point to
    co_return std::unexpected(done.error());
  }
  connection->requests_ = 0;
  co_return std::move(connection);
}

}  // namespace sherd::pgconn
