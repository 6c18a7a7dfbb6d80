#include <array>

#include <fmt/format.h>

#include <sherd/pgconn/connection.hpp>
#include <sherd/wire/build.hpp>

namespace sherd::pgconn {
namespace {

// Types that a relay looks into; everything else goes through untouched.
constexpr std::array<bool, 128> control_types() {
  std::array<bool, 128> table{};
  for (const char type : {'1', '2', '3', 'A', 'E', 'G', 'H', 'K', 'N', 'R', 'S', 'W', 'Z', 'v'}) {
    table[static_cast<std::size_t>(type)] = true;
  }
  return table;
}
constexpr auto kControlTypes = control_types();

Bytes body_of(const net::Slice& whole) {
  return whole.bytes().subspan(wire::kHeaderBytes);
}

}  // namespace

// Tells on_bytes that a handler has destroyed the connection. The flag lives in its frame: on every
// way out the connection must forget it.
struct Connection::Watch {
  explicit Watch(Connection& of) : self(of) { self.destroyed_ = &destroyed; }
  ~Watch() {
    if (!destroyed) {
      self.destroyed_ = nullptr;
    }
  }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  Connection& self;
  bool destroyed = false;
};

Connection::Connection(net::Loop& loop, ConnectOptions options, std::unique_ptr<net::Stream> stream)
    : loop_(loop),
      options_(std::move(options)),
      stream_(std::move(stream)),
      scanner_(wire::Side::kBackend, options_.max_message_bytes),
      opened_at_(loop.now()) {
  stream_->set_handler(this);
}

Connection::~Connection() {
  if (destroyed_ != nullptr) {
    *destroyed_ = true;
  }
  stream_->close();
}

void Connection::expect(ReplyHandler& handler, ReplyMode mode) {
  expected_.push_back({&handler, mode});
  ++requests_;
}

bool Connection::relays(char type) const noexcept {
  return !expected_.empty() && expected_.front().mode == ReplyMode::kRelay
         && !kControlTypes[static_cast<unsigned char>(type) & 0x7F];
}

void Connection::on_bytes(net::Slice chunk) {
  Watch watch(*this);
  const bool& destroyed = watch.destroyed;
  Bytes rest = chunk.bytes();
  std::size_t run_begin = 0;
  std::size_t run_length = 0;
  const auto flush_run = [&] {
    if (run_length > 0) {
      expected_.front().handler->on_relay(chunk.sub(run_begin, run_length));
      run_length = 0;
    }
    return !destroyed && !is_broken_;
  };
  wire::Frame frame;
  wire::Scan scan = wire::Scan::kNeedMore;
  while ((scan = scanner_.next(rest, frame)) == wire::Scan::kFound) {
    const auto begin = static_cast<std::size_t>(frame.raw.data() - chunk.data());
    if (relays(frame.type)) {
      run_begin = run_length == 0 ? begin : run_begin;
      run_length += frame.raw.size();
      continue;
    }
    if (!flush_run()) {
      return;
    }
    if (!frame.starts || !frame.ends) {
      gathered_.append(as_text(frame.raw));
      if (!frame.ends) {
        continue;
      }
    }
    const net::Slice whole = frame.starts ? chunk.sub(begin, frame.raw.size())
                                          : net::Slice::adopt(std::exchange(gathered_, {}));
    if (!dispatch(frame.type, whole) || destroyed) {
      return;
    }
  }
  if (!flush_run()) {
    return;
  }
  if (scan == wire::Scan::kBad) {
    fail(scanner_.error());
  }
}

bool Connection::dispatch(char type, const net::Slice& whole) {
  bool* const destroyed = destroyed_;
  if (type == 'S') {
    note_parameter(body_of(whole));
  }
  if (expected_.empty()) {
    return on_unexpected(type, whole);
  }
  if (type != 'Z') {
    expected_.front().handler->on_message(type, whole);
    return !*destroyed && !is_broken_;
  }
  const auto body = wire::ReadyForQuery::decode(body_of(whole));
  if (!body) {
    fail(body.error());
    return false;
  }
  ready(body->status);
  return !*destroyed && !is_broken_;
}

void Connection::ready(wire::TransactionStatus status) {
  status_ = status;
  const Expected done = expected_.front();
  expected_.pop_front();
  done.handler->on_ready(status);
}

// What a server may say when nothing was asked: news of its parameters, notices, notifications, and
// why it is about to close. Anything else means that the two are out of step.
bool Connection::on_unexpected(char type, const net::Slice& whole) {
  if (type == 'S' || type == 'N' || type == 'A') {
    return true;
  }
  if (type == 'E') {
    auto fields = wire::ErrorFields::decode(body_of(whole));
    fail(fields ? wire::to_error(*fields, options_.shard) : std::move(fields).error());
    return false;
  }
  fail(Error{
      .code = ErrorCode::kProtocolViolation,
      .message = fmt::format("message '{}' that nobody asked for", type),
      .shard = options_.shard
  });
  return false;
}

void Connection::note_parameter(Bytes body) {
  if (const auto status = wire::ParameterStatus::decode(body)) {
    parameters_.insert_or_assign(std::string(status->name), std::string(status->value));
  }
}

void Connection::on_drained() {
  if (drained_) {
    drained_();
  }
}

void Connection::on_closed(const Error& error) {
  fail(Error{
      .code = ErrorCode::kConnectionFailed,
      .message = fmt::format("shard {} has closed the connection", options_.shard),
      .detail = error.message,
      .shard = options_.shard
  });
}

void Connection::fail(const Error& error) {
  if (is_broken_) {
    return;
  }
  is_broken_ = true;
  stream_->close();
  if (expected_.empty()) {
    if (idle_lost_) {
      std::exchange(idle_lost_, {})();  // may destroy us
    }
    return;
  }
  const std::deque<Expected> waiting = std::exchange(expected_, {});
  bool destroyed = false;
  bool* const outer = std::exchange(destroyed_, &destroyed);
  for (const Expected& expected : waiting) {
    expected.handler->on_lost(error);
    if (destroyed) {
      break;  // the handlers behind it belong to whoever destroyed us
    }
  }
  if (destroyed && outer != nullptr) {
    *outer = true;
  }
  if (!destroyed) {
    destroyed_ = outer;
  }
}

void Connection::terminate() {
  std::string bye;
  wire::append_terminate(bye);
  stream_->send_copy(bye);
  is_broken_ = true;
  stream_->close_after_send(Deadline::after(loop_.clock(), std::chrono::seconds(1)));
}

}  // namespace sherd::pgconn
