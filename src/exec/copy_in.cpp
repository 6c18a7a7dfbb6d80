#include <fmt/format.h>

#include <sherd/exec/copy.hpp>
#include <sherd/wire/build.hpp>

namespace sherd::exec {
namespace {

constexpr std::size_t kFlushBytes = 32 * 1024;
constexpr std::size_t kCongestedBytes = 1024 * 1024;

}  // namespace

// One shard's side of the copy.
class CopyIn::Stream final : public pgconn::ReplyHandler {
 public:
  Stream(net::Loop& loop, CopyIn& copy, pgconn::Connection& connection)
      : copy_(copy),
        connection_(connection),
        ready_to_copy_(loop),
        done_(loop),
        drained_(std::make_unique<net::OneShot<>>(loop)),
        loop_(loop) {
    connection_.set_drained([this] { drained_->set(); });
  }
  ~Stream() override { connection_.set_drained({}); }

  void on_message(char type, const net::Slice& whole) override {
    const Bytes body = whole.bytes().subspan(wire::kHeaderBytes);
    if (type == 'G') {
      ready_to_copy_.set(std::string(whole.text()));
    } else if (type == 'E') {
      const auto fields = wire::ErrorFields::decode(body);
      fail(fields ? wire::to_error(*fields, connection_.options().shard) : fields.error());
    } else if (type == 'C') {
      if (const auto complete = wire::CommandComplete::decode(body)) {
        rows_ = wire::parse_command_tag(complete->tag).rows.value_or(0);
      }
    }
  }
  void on_ready(wire::TransactionStatus) override { end(); }
  void on_lost(const Error& error) override {
    fail(error);
    end();
  }

  void start(std::string_view request) {
    connection_.expect(*this, pgconn::ReplyMode::kMessages);
    connection_.send_copy(request);
  }
  [[nodiscard]] net::Task<std::string> ready_to_copy() { return ready_to_copy_.wait(); }
  [[nodiscard]] net::Task<void> done() { return done_.wait(); }
  [[nodiscard]] net::Task<void> wait_drained() {
    drained_ = std::make_unique<net::OneShot<>>(loop_);
    return drained_->wait();
  }
  [[nodiscard]] bool takes_data() const noexcept {
    return ready_to_copy_.is_set() && !done_.is_set();
  }
  [[nodiscard]] std::uint64_t rows() const noexcept { return rows_; }
  [[nodiscard]] pgconn::Connection& connection() const noexcept { return connection_; }

  std::string buffer{};

 private:
  void fail(Error error) {
    if (!copy_.error_) {
      copy_.error_ = std::move(error);
    }
  }
  void end() {
    ready_to_copy_.set();
    drained_->set();
    done_.set();
  }

  CopyIn& copy_;
  pgconn::Connection& connection_;
  net::OneShot<std::string> ready_to_copy_;
  net::OneShot<> done_;
  std::unique_ptr<net::OneShot<>> drained_;
  net::Loop& loop_;
  std::uint64_t rows_ = 0;
};

CopyIn::CopyIn(
    net::Loop& loop, std::vector<pgconn::Connection*> connections, CopyInOptions options,
    Router router
)
    : loop_(loop),
      options_(std::move(options)),
      router_(std::move(router)),
      splitter_(options_.format, {.key_field = options_.key_field}) {
  for (pgconn::Connection* connection : connections) {
    streams_.push_back(std::make_unique<Stream>(loop_, *this, *connection));
  }
}

CopyIn::~CopyIn() = default;

net::Task<Result<std::string>> CopyIn::begin(std::vector<std::string> sql) {
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    std::string request;
    SHERD_CO_TRY_VOID(wire::append_query(request, sql.size() == 1 ? sql.front() : sql.at(i)));
    streams_[i]->start(request);
  }
  std::string response;
  for (const auto& stream : streams_) {
    std::string message = co_await stream->ready_to_copy();
    response = response.empty() ? std::move(message) : response;
  }
  if (error_) {
    co_return std::unexpected(*error_);
  }
  co_return response;
}

Result<> CopyIn::feed(Bytes data) {
  return take_rows(data, false);
}

Result<> CopyIn::take_rows(Bytes data, bool is_last) {
  wire::CopyRow row;
  while (true) {
    if (error_) {
      return std::unexpected(*error_);
    }
    const auto next = is_last ? splitter_.finish(row) : splitter_.next(data, row);
    if (next == wire::CopyRowSplitter::Next::kNeedMore) {
      return {};
    }
    if (next == wire::CopyRowSplitter::Next::kBad) {
      return std::unexpected(splitter_.error());
    }
    SHERD_TRY_VOID(on_row(row));
  }
}

Result<> CopyIn::on_row(const wire::CopyRow& row) {
  if (row.kind != wire::CopyRow::Kind::kRow || !options_.key_field) {
    append_to_all(row.raw);  // a header and an end mark are every shard's
    return {};
  }
  auto index = router_(row.key);
  if (!index) {
    Error error = std::move(index).error();
    error.detail = fmt::format("COPY {}, line {}", options_.table, row.line);
    return std::unexpected(std::move(error));
  }
  Stream& stream = *streams_[*index];
  stream.buffer.append(as_text(row.raw));
  if (stream.buffer.size() >= kFlushBytes) {
    flush(*index);
  }
  return {};
}

void CopyIn::append_to_all(Bytes raw) {
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    streams_[i]->buffer.append(as_text(raw));
    if (streams_[i]->buffer.size() >= kFlushBytes) {
      flush(i);
    }
  }
}

void CopyIn::flush(std::size_t index) {
  Stream& stream = *streams_[index];
  if (stream.buffer.empty() || !stream.takes_data()) {
    return;
  }
  std::string message;
  message.reserve(stream.buffer.size() + wire::kHeaderBytes);
  if (auto built = wire::append_copy_data(message, as_bytes(stream.buffer)); !built) {
    error_ = error_.value_or(built.error());
    return;
  }
  stream.buffer.clear();
  stream.connection().send(net::Slice::adopt(std::move(message)));
}

bool CopyIn::congested() const noexcept {
  for (const auto& stream : streams_) {
    if (stream->takes_data() && stream->connection().queued_bytes() > kCongestedBytes) {
      return true;
    }
  }
  return false;
}

net::Task<void> CopyIn::drained() {
  for (const auto& stream : streams_) {
    while (stream->takes_data() && stream->connection().queued_bytes() > kCongestedBytes) {
      co_await stream->wait_drained();
    }
  }
}

net::Task<void> CopyIn::all_done() {
  for (const auto& stream : streams_) {
    co_await stream->done();
  }
}

net::Task<Result<std::uint64_t>> CopyIn::finish() {
  if (auto last = take_rows({}, true); !last) {
    co_await abort(last.error().message);
    co_return std::unexpected(last.error());
  }
  std::string end;
  wire::append_copy_done(end);
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    flush(i);
    if (streams_[i]->takes_data()) {
      streams_[i]->connection().send_copy(end);
    }
  }
  co_await all_done();
  if (error_) {
    co_return std::unexpected(*error_);
  }
  std::uint64_t rows = 0;
  for (const auto& stream : streams_) {
    rows = options_.key_field ? rows + stream->rows() : stream->rows();
  }
  co_return rows;
}

net::Task<void> CopyIn::abort(std::string reason) {
  std::string message;
  wire::append_copy_fail(message, reason);
  for (const auto& stream : streams_) {
    if (stream->takes_data()) {
      stream->connection().send_copy(message);
    }
  }
  co_await all_done();
}

}  // namespace sherd::exec
