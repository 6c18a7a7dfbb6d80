#include <fmt/format.h>

#include <sherd/pgconn/connection.hpp>
#include <sherd/wire/build.hpp>

namespace sherd::pgconn {
namespace {

constexpr std::size_t kMaxResultBytes = 64 * 1024 * 1024;

Bytes body_of(const net::Slice& whole) {
  return whole.bytes().subspan(wire::kHeaderBytes);
}

// Gathers the rows of a statement of the router's own.
class Gather final : public ReplyHandler {
 public:
  Gather(net::Loop& loop, Connection& connection) : connection_(connection), done_(loop) {}

  void on_message(char type, const net::Slice& whole) override {
    const Bytes body = body_of(whole);
    switch (type) {
      case 'T':
        return on_description(body);
      case 'D':
        return on_row(body);
      case 'C':
        return on_complete(body);
      case 'E':
        return on_error(body);
      default:
        return;
    }
  }
  void on_ready(wire::TransactionStatus) override {
    if (error_) {
      done_.set(std::unexpected(*std::move(error_)));
    } else {
      done_.set(std::move(result_));
    }
  }
  void on_lost(const Error& error) override {
    done_.set(std::unexpected(error_ ? *std::move(error_) : error));
  }
  [[nodiscard]] net::Task<Result<ResultSet>> wait(Deadline deadline) {
    return done_.wait_until(deadline);
  }

 private:
  void on_description(Bytes body) {
    result_ = {};
    if (const auto description = wire::RowDescription::decode(body)) {
      result_.fields = description->fields();
    }
  }
  void on_row(Bytes body) {
    const auto row = wire::DataRow::decode(body);
    bytes_ += body.size();
    if (!row || bytes_ > kMaxResultBytes) {
      if (!error_) {
        error_ = row ? Error{.code = ErrorCode::kConfigLimit, .message = "result over 64 MiB"}
                     : row.error();
      }
      return;
    }
    std::vector<std::optional<std::string>> values;
    values.reserve(row->size());
    for (const auto& value : *row) {
      values.push_back(value ? std::optional(std::string(as_text(*value))) : std::nullopt);
    }
    result_.rows.push_back(std::move(values));
  }
  void on_complete(Bytes body) {
    if (const auto complete = wire::CommandComplete::decode(body)) {
      result_.tag = complete->tag;
    }
  }
  void on_error(Bytes body) {
    const auto fields = wire::ErrorFields::decode(body);
    if (!error_) {
      error_ = fields ? wire::to_error(*fields, connection_.options().shard) : fields.error();
    }
  }

  Connection& connection_;
  net::OneShot<Result<ResultSet>> done_;
  ResultSet result_{};
  std::optional<Error> error_{};
  std::size_t bytes_ = 0;
};

// The shard answers a CancelRequest by closing.
class UntilClosed final : public net::StreamHandler {
 public:
  explicit UntilClosed(net::Loop& loop) : done_(loop) {}
  void on_bytes(net::Slice) override {}
  void on_closed(const Error&) override { done_.set(); }
  [[nodiscard]] net::Task<Result<>> wait(Deadline deadline) { return done_.wait_until(deadline); }

 private:
  net::OneShot<> done_;
};

}  // namespace

net::Task<Result<ResultSet>> Connection::query(std::string sql, Deadline deadline) {
  if (is_broken_) {
    co_return sherd::fail(Error{
        .code = ErrorCode::kConnectionFailed,
        .message = fmt::format("the connection to shard {} is gone", options_.shard),
        .shard = options_.shard
    });
  }
  std::string bytes;
  SHERD_CO_TRY_VOID(wire::append_query(bytes, sql));
  Gather gather(loop_, *this);
  expect(gather, ReplyMode::kMessages);
  send_copy(bytes);
  auto result = co_await gather.wait(deadline);
  if (!result && result.error().code == ErrorCode::kTimeout) {
    fail(result.error());  // position in the protocol is unknown; also ends the use of `gather`
  }
  co_return result;
}

net::Task<Result<>> Connection::cancel(
    net::Loop& loop, net::Address address, CancelKey key, Deadline deadline
) {
  SHERD_CO_TRY(auto stream, co_await net::connect(loop, address, deadline));
  std::string bytes;
  wire::append_cancel_request(bytes, key.process_id, as_bytes(key.secret));
  UntilClosed until_closed(loop);
  stream->set_handler(&until_closed);
  stream->send_copy(bytes);
  auto done = co_await until_closed.wait(deadline);
  stream->close();
  co_return done;
}

}  // namespace sherd::pgconn
