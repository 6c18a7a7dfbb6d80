#include <sherd/exec/copy.hpp>
#include <sherd/wire/build.hpp>

namespace sherd::exec {
namespace {

// One shard's share of the stream.
class Part final : public pgconn::ReplyHandler {
 public:
  Part(
      net::Loop& loop, pgconn::Connection& connection, ResultSink& sink, bool is_first,
      bool drops_header
  )
      : connection_(connection),
        sink_(sink),
        done_(loop),
        is_first_(is_first),
        drops_header_(drops_header) {}
  ~Part() override {
    if (is_waiting_for_client_) {
      sink_.when_drained({});
    }
  }

  void on_message(char type, const net::Slice& whole) override {
    const Bytes body = whole.bytes().subspan(wire::kHeaderBytes);
    switch (type) {
      case 'H':
        if (is_first_) {
          sink_.send(whole);
        }
        return;
      case 'd':
        return on_data(whole);
      case 'C':
        if (const auto complete = wire::CommandComplete::decode(body)) {
          rows_ = wire::parse_command_tag(complete->tag).rows.value_or(0);
        }
        return;
      case 'E': {
        const auto fields = wire::ErrorFields::decode(body);
        error_ = fields ? wire::to_error(*fields, connection_.options().shard) : fields.error();
        return;
      }
      default:
        return;
    }
  }
  void on_ready(wire::TransactionStatus) override {
    connection_.resume();  // paused behind its last byte: the next request needs its ears
    if (error_) {
      done_.set(std::unexpected(*error_));
    } else {
      done_.set(rows_);
    }
  }
  void on_lost(const Error& error) override { done_.set(std::unexpected(error)); }
  [[nodiscard]] net::Task<Result<std::uint64_t>> wait() { return done_.wait(); }

 private:
  void on_data(const net::Slice& whole) {
    if (std::exchange(drops_header_, false)) {
      return;
    }
    sink_.send(whole);
    if (sink_.queued_bytes() > sink_.limit_bytes() && !is_waiting_for_client_) {
      is_waiting_for_client_ = true;
      connection_.pause();
      sink_.when_drained([this] {
        is_waiting_for_client_ = false;
        connection_.resume();
      });
    }
  }

  pgconn::Connection& connection_;
  ResultSink& sink_;
  net::OneShot<Result<std::uint64_t>> done_;
  std::optional<Error> error_{};
  std::uint64_t rows_ = 0;
  bool is_first_;
  bool drops_header_;
  bool is_waiting_for_client_ = false;
};

}  // namespace

net::Task<Result<std::uint64_t>> copy_out(
    net::Loop& loop, ResultSink& sink, std::vector<pgconn::Connection*> connections,
    std::string sql, bool drop_later_headers
) {
  std::string request;
  SHERD_CO_TRY_VOID(wire::append_query(request, sql));
  std::uint64_t rows = 0;
  bool is_first = true;
  for (pgconn::Connection* connection : connections) {
    Part part(loop, *connection, sink, is_first, drop_later_headers && !is_first);
    connection->expect(part, pgconn::ReplyMode::kMessages);
    connection->send_copy(request);
    SHERD_CO_TRY(const std::uint64_t count, co_await part.wait());
    rows += count;
    is_first = false;
  }
  std::string end;
  wire::append_copy_done(end);
  sink.send_copy(end);
  co_return rows;
}

}  // namespace sherd::exec
