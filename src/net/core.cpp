#include "core.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sherd/base/check.hpp>

#include "connecting.hpp"
#include "endpoint.hpp"

namespace sherd::net {

namespace {

constexpr std::size_t kReadyPerTurn = 4096;        // so that tasks that yield cannot starve sockets
constexpr std::size_t kHeldBytes = 256 * 1024;     // then receiving stops until they are delivered
constexpr std::chrono::seconds kLongestFlush{30};  // bound on close_after_send
constexpr Duration kTeardownStep = std::chrono::milliseconds(20);
constexpr int kTeardownSteps = 250;
constexpr int kQuietSteps = 64;

Result<std::unique_ptr<Engine>> make_engine(LoopCore& core, const LoopOptions& options) {
  if (options.engine == EngineKind::kEpoll) {
    return make_epoll_engine(core, options);
  }
  auto engine = make_uring_engine(core, options);
  if (!engine && options.engine == EngineKind::kAuto) {
    return make_epoll_engine(core, options);
  }
  return engine;
}

Error end_error(int error) {
  if (error == 0) {
    return {.code = ErrorCode::kConnectionFailed, .message = "the peer closed the connection"};
  }
  return {
      .code = ErrorCode::kConnectionFailed,
      .message = fmt::format("the connection failed: {}", strerror(error))
  };
}

}  // namespace

LoopCore::LoopCore(const LoopOptions& options) noexcept
    : options_(options), now_(options.clock->now()) {}

Result<std::unique_ptr<LoopCore>> LoopCore::create(const LoopOptions& options) {
  auto core = std::unique_ptr<LoopCore>(new LoopCore(options));
  SHERD_TRY_VOID(core->open());
  return core;
}

Result<> LoopCore::open() {
  if (!std::has_single_bit(options_.receive_buffers) || options_.receive_buffers < 8
      || options_.receive_buffers > 32768 || options_.receive_buffer_bytes == 0
      || options_.turn_completions == 0 || options_.turn_stream_bytes == 0) {
    return fail(ErrorCode::kInvalidParameterValue, "options of a loop are out of their range");
  }
  SHERD_TRY(mailbox_, Mailbox::create());
  SHERD_TRY(engine_, make_engine(*this, options_));
  Watch& wake =
      add_watch(mailbox_->wake_fd(), POLLIN, [this](std::uint32_t) { mailbox_->drain_wake_fd(); });
  wake.owns_fd = false;
  return {};
}

LoopCore::~LoopCore() {
  thread_ = std::this_thread::get_id();
  if (mailbox_) {
    mailbox_->close();
  }
  // What the functions own may still use the loop while it is destroyed.
  std::exchange(connecting_, {}).clear();
  std::exchange(timers_, {});
  std::exchange(deferred_, {}).clear();
  for (Source* source : sources_) {
    kill(*source);
  }
  for (int i = 0; engine_ && engine_->is_usable_here() && i < kTeardownSteps; ++i) {
    settle_all();
    if (sources_.empty()) {
      break;
    }
    engine_->wait(kTeardownStep);
    engine_->dispatch(options_.turn_completions);
    attend_all();
  }
  engine_.reset();  // with it goes what the kernel still held
  while (!sources_.empty()) {
    sources_.back()->is_dirty = false;
    erase(*sources_.back());
  }
}

// ---- the turn

void LoopCore::run() {
  if (!is_bound_) {
    is_bound_ = true;
    thread_ = std::this_thread::get_id();
    engine_->bind();
  }
  SHERD_CHECK(in_thread());
  now_ = options_.clock->now();
  while (true) {
    run_posted();
    run_timers();
    run_ready();
    settle_all();
    if (is_stopping_.exchange(false)) {
      engine_->flush();
      let_go_of_dead();
      return;
    }
    engine_->wait(time_to_wait());
    now_ = options_.clock->now();
    ++turn_;
    engine_->dispatch(options_.turn_completions);
    attend_all();
  }
}

/// So that sockets closed in the last turn are closed even if the loop is never run again.
void LoopCore::let_go_of_dead() {
  is_quiet_ = true;
  for (int i = 0; i < kQuietSteps && dead_ > 0; ++i) {
    engine_->wait(Duration::zero());
    engine_->dispatch(options_.turn_completions);
    settle_all();
  }
  engine_->flush();
  is_quiet_ = false;
}

void LoopCore::stop() noexcept {
  is_stopping_.store(true);
  mailbox_->wake();
}

Duration LoopCore::time_to_wait() const noexcept {
  if (!ready_.empty() || !deferred_.empty() || !attention_.empty() || !dirty_.empty()
      || mailbox_->has_posts()) {
    return Duration::zero();
  }
  const TimePoint next = timers_.next();
  if (next == TimePoint::max()) {
    return Duration(-1);
  }
  return std::max(next - options_.clock->now(), Duration::zero());
}

void LoopCore::run_posted() {
  for (Callback& function : mailbox_->take()) {
    function();
    function = nullptr;
  }
}

void LoopCore::run_timers() {
  // One started by a timer waits for the next turn, so that it cannot keep us here.
  const std::uint64_t below = timers_.next_number();
  while (auto function = timers_.take_due(now_, below)) {
    (*function)();
  }
}

void LoopCore::run_ready() {
  std::size_t budget = kReadyPerTurn;
  while (budget > 0 && (!ready_.empty() || !deferred_.empty())) {
    for (; budget > 0 && !ready_.empty(); --budget) {
      ReadyList::run(*ready_.pop());
    }
    calling_.swap(deferred_);
    for (Callback& function : calling_) {
      function();
      function = nullptr;
    }
    budget -= std::min(budget, calling_.size());
    calling_.clear();
  }
}

void LoopCore::settle_all() {
  settling_.swap(dirty_);
  for (Source* source : settling_) {
    source->is_dirty = false;
    if (source->kind == Source::Kind::kWatch) {
      engine_->settle(static_cast<Watch&>(*source));
    } else {
      auto& socket = static_cast<Socket&>(*source);
      finish_flush(socket);
      engine_->settle(socket);
    }
  }
  settling_.clear();
}

// ---- sources

Watch& LoopCore::add_watch(int fd, std::uint32_t events, Watch::Ready on_ready) {
  auto watch = std::make_unique<Watch>(fd, *this, events, std::move(on_ready));
  watch->place = sources_.size();
  sources_.push_back(watch.get());
  mark_dirty(*watch);
  return *watch.release();
}

void LoopCore::set_armed(Watch& watch, bool is_armed) noexcept {
  watch.is_armed = is_armed;
  mark_dirty(watch);
}

std::unique_ptr<Stream> LoopCore::adopt(int fd) {
  SHERD_DCHECK(in_thread());
  set_stream_options(fd);
  auto socket = std::make_unique<Socket>(fd, *this);
  socket->place = sources_.size();
  sources_.push_back(socket.get());
  auto stream = std::unique_ptr<Stream>(new Stream(*socket));
  socket->owner = stream.get();
  mark_dirty(*socket.release());
  return stream;
}

void LoopCore::kill(Source& source) noexcept {
  if (source.is_dead) {
    return;
  }
  source.is_dead = true;
  ++dead_;
  if (source.kind == Source::Kind::kSocket) {
    auto& socket = static_cast<Socket&>(source);
    socket.handler = nullptr;
    if (Stream* owner = std::exchange(socket.owner, nullptr)) {
      owner->socket_ = nullptr;
    }
    timers_.cancel(socket.flush_timer);
    socket.held.reset();
  }
  mark_dirty(source);
}

void LoopCore::mark_dirty(Source& source) noexcept {
  if (!source.is_dirty) {
    source.is_dirty = true;
    dirty_.push_back(&source);
  }
}

void LoopCore::erase(Source& source) noexcept {
  SHERD_CHECK(source.is_dead);
  if (source.is_dirty) {
    return;  // it will be settled once more
  }
  if (source.kind == Source::Kind::kSocket && static_cast<Socket&>(source).is_listed) {
    std::erase(attention_, &source);  // rare, and the list is short
  }
  if (source.owns_fd) {
    ::close(source.fd);
  }
  sources_[source.place] = sources_.back();
  sources_[source.place]->place = source.place;
  sources_.pop_back();
  --dead_;
  if (source.kind == Source::Kind::kSocket) {
    delete static_cast<Socket*>(&source);
  } else {
    delete static_cast<Watch*>(&source);
  }
}

void LoopCore::ready(Watch& watch, std::uint32_t events) {
  if (!watch.is_dead && watch.is_armed && !is_quiet_) {
    watch.on_ready(events);
  }
}

// ---- receiving

bool LoopCore::can_deliver(const Socket& socket) noexcept {
  return !socket.is_dead && socket.handler != nullptr && !socket.is_paused && !socket.is_end_told;
}

bool LoopCore::wants_receive(const Socket& socket) noexcept {
  if (socket.is_dead || socket.end) {
    return false;
  }
  if (socket.is_flushing) {
    return true;  // and drops the bytes
  }
  return socket.handler != nullptr && !socket.is_paused && socket.held_bytes < kHeldBytes;
}

std::size_t LoopCore::turn_room(Socket& socket) const noexcept {
  if (socket.turn != turn_) {
    socket.turn = turn_;
    socket.turn_bytes = 0;
  }
  return options_.turn_stream_bytes - std::min(options_.turn_stream_bytes, socket.turn_bytes);
}

void LoopCore::received(Socket& socket, Slice bytes) {
  if (socket.is_dead || socket.is_flushing || socket.end) {
    return;
  }
  if (socket.held || is_quiet_ || !can_deliver(socket) || turn_room(socket) == 0) {
    hold(socket, std::move(bytes));
    return;
  }
  socket.turn_bytes += bytes.size();
  socket.handler->on_bytes(std::move(bytes));
}

void LoopCore::hold(Socket& socket, Slice bytes) {
  if (!socket.held) {
    socket.held = std::make_unique<std::deque<Slice>>();
  }
  socket.held_bytes += bytes.size();
  socket.held->push_back(std::move(bytes));
  list_for_attention(socket);
  mark_dirty(socket);
}

void LoopCore::receive_ended(Socket& socket, int error) {
  if (socket.is_dead || socket.end) {
    return;
  }
  socket.end = end_error(error);
  if (error != 0) {
    break_send(socket);
  }
  if (socket.is_flushing && (socket.is_shut_down || socket.is_send_broken)) {
    kill(socket);
    return;
  }
  list_for_attention(socket);
  mark_dirty(socket);
}

// ---- what is to be told later in the turn, or in the next one

void LoopCore::list_for_attention(Socket& socket) {
  if (!socket.is_listed && !socket.is_dead) {
    socket.is_listed = true;
    attention_.push_back(&socket);
  }
}

void LoopCore::attend_all() {
  attending_.swap(attention_);
  for (Socket* socket : attending_) {
    socket->is_listed = false;
    attend(*socket);
  }
  attending_.clear();
}

void LoopCore::attend(Socket& socket) {
  deliver_held(socket);
  if (!socket.held && socket.end && can_deliver(socket)) {
    socket.is_end_told = true;
    const Error error = *socket.end;
    std::exchange(socket.handler, nullptr)->on_closed(error);
    return;
  }
  if (socket.is_drained_due && socket.handler != nullptr) {
    socket.is_drained_due = false;
    if (socket.output.bytes() < options_.drained_mark_bytes) {
      socket.handler->on_drained();
    }
  }
}

void LoopCore::deliver_held(Socket& socket) {
  while (socket.held && can_deliver(socket)) {
    if (turn_room(socket) == 0) {
      list_for_attention(socket);
      return;
    }
    Slice bytes = std::move(socket.held->front());
    socket.held->pop_front();
    socket.held_bytes -= bytes.size();
    if (socket.held->empty()) {
      socket.held.reset();
      mark_dirty(socket);
    }
    socket.turn_bytes += bytes.size();
    socket.handler->on_bytes(std::move(bytes));
  }
}

// ---- sending

void LoopCore::queue(Socket& socket, Slice bytes) {
  if (!socket.is_send_broken) {
    socket.output.push(std::move(bytes));
    after_queueing(socket);
  }
}

void LoopCore::queue_copy(Socket& socket, std::string_view bytes) {
  if (!socket.is_send_broken) {
    socket.output.push_copy(bytes);
    after_queueing(socket);
  }
}

void LoopCore::after_queueing(Socket& socket) {
  SHERD_DCHECK(in_thread());
  if (socket.output.bytes() > options_.max_queued_bytes) {
    overflow(socket);
  }
  mark_dirty(socket);
}

void LoopCore::overflow(Socket& socket) {
  break_send(socket);
  if (!socket.end) {
    socket.end = Error{
        .code = ErrorCode::kConfigLimit,
        .message = fmt::format(
            "more than {} bytes wait to be sent on one connection", options_.max_queued_bytes
        )
    };
  }
  list_for_attention(socket);
}

void LoopCore::sent(Socket& socket, std::size_t count) {
  if (socket.is_dead) {
    return;
  }
  if (socket.is_send_broken) {
    clear_output(socket);
    return;
  }
  const std::size_t before = socket.output.bytes();
  socket.output.consume(count);
  if (before >= options_.drained_mark_bytes
      && socket.output.bytes() < options_.drained_mark_bytes) {
    socket.is_drained_due = true;
    list_for_attention(socket);
  }
  if (!socket.output.empty() || socket.is_flushing) {
    mark_dirty(socket);
  }
}

void LoopCore::send_failed(Socket& socket, int error) {
  if (socket.is_dead) {
    return;
  }
  // The receiving side tells the user, after the bytes that came before.
  (void)error;
  break_send(socket);
  clear_output(socket);
  if (socket.is_flushing) {
    kill(socket);
  }
}

void LoopCore::break_send(Socket& socket) {
  socket.is_send_broken = true;
  clear_output(socket);
  mark_dirty(socket);
}

void LoopCore::clear_output(Socket& socket) {
  if (socket.is_sending) {
    return;  // the kernel still reads it; the engine cancels, and then this comes again
  }
  if (socket.output.bytes() >= options_.drained_mark_bytes) {
    socket.is_drained_due = true;
    list_for_attention(socket);
  }
  socket.output.clear();
}

void LoopCore::close_after_send(Socket& socket, Deadline deadline) {
  SHERD_DCHECK(in_thread());
  socket.is_flushing = true;
  socket.handler = nullptr;
  std::exchange(socket.owner, nullptr)->socket_ = nullptr;
  socket.held.reset();
  socket.held_bytes = 0;
  if (socket.is_send_broken || (socket.end && socket.output.empty())) {
    kill(socket);
    return;
  }
  const Deadline bound = deadline.sooner(Deadline::after(*options_.clock, kLongestFlush));
  socket.flush_timer = timers_.start(bound.at(), [this, &socket] { kill(socket); });
  mark_dirty(socket);
}

void LoopCore::finish_flush(Socket& socket) noexcept {
  if (!socket.is_flushing || socket.is_dead || socket.is_shut_down || !socket.output.empty()) {
    return;
  }
  ::shutdown(socket.fd, SHUT_WR);
  socket.is_shut_down = true;
  if (socket.end) {
    kill(socket);
  }
}

// ---- what else a Stream asks for

void LoopCore::set_handler(Socket& socket, StreamHandler* handler) {
  SHERD_DCHECK(in_thread());
  if (socket.is_end_told) {
    return;
  }
  socket.handler = handler;
  if (socket.held || socket.end || socket.is_drained_due) {
    list_for_attention(socket);
  }
  mark_dirty(socket);
}

void LoopCore::set_paused(Socket& socket, bool is_paused) {
  SHERD_DCHECK(in_thread());
  if (socket.is_paused == is_paused) {
    return;
  }
  socket.is_paused = is_paused;
  if (!is_paused && (socket.held || socket.end)) {
    list_for_attention(socket);
  }
  mark_dirty(socket);
}

// ---- connecting

void LoopCore::start_connecting(Address address, Deadline deadline, ConnectCallback done) {
  const std::uint64_t number = next_connecting_++;
  connecting_.emplace(
      number,
      std::make_unique<Connecting>(*this, number, std::move(address), deadline, std::move(done))
  );
  defer([this, number] {
    if (Connecting* attempt = connecting(number)) {
      attempt->begin();
    }
  });
}

Connecting* LoopCore::connecting(std::uint64_t number) noexcept {
  const auto found = connecting_.find(number);
  return found == connecting_.end() ? nullptr : found->second.get();
}

void LoopCore::forget_connecting(std::uint64_t number) noexcept {
  connecting_.erase(number);
}

}  // namespace sherd::net
