#include "sherd/net/loop.hpp"

#include <algorithm>
#include <utility>

#include "core.hpp"

namespace sherd::net {

Result<std::unique_ptr<Loop>> Loop::create(LoopOptions options) {
  SHERD_TRY(auto core, LoopCore::create(options));
  return std::unique_ptr<Loop>(new Loop(std::move(core)));
}

Loop::Loop(std::unique_ptr<LoopCore> core) noexcept : core_(std::move(core)) {}
Loop::~Loop() = default;

void Loop::run() {
  core_->run();
}
void Loop::stop() noexcept {
  core_->stop();
}
void Loop::post(Callback function) {
  core_->mailbox()->post(std::move(function));
}

TimePoint Loop::now() const noexcept {
  return core_->now();
}
const Clock& Loop::clock() const noexcept {
  return *core_->options().clock;
}
EngineKind Loop::engine() const noexcept {
  return core_->engine();
}
bool Loop::in_thread() const noexcept {
  return core_->in_thread();
}

TimerId Loop::start_timer(TimePoint at, Callback function) {
  SHERD_DCHECK(in_thread());
  return core_->timers().start(std::max(at, core_->now()), std::move(function));
}
bool Loop::cancel_timer(TimerId id) noexcept {
  return core_->timers().cancel(id);
}

void Loop::defer(Callback function) {
  SHERD_DCHECK(in_thread());
  core_->defer(std::move(function));
}
void Loop::defer(ReadyNode& node) noexcept {
  SHERD_DCHECK(in_thread());
  core_->defer(node);
}

void Loop::connect(Address address, Deadline deadline, ConnectCallback done) {
  SHERD_DCHECK(in_thread());
  core_->start_connecting(std::move(address), deadline, std::move(done));
}
std::unique_ptr<Stream> Loop::adopt(int fd) {
  return core_->adopt(fd);
}

// ---- Stream

Stream::Stream(Socket& socket) noexcept : socket_(&socket) {}
Stream::~Stream() {
  close();
}

void Stream::set_handler(StreamHandler* handler) {
  if (socket_ != nullptr) {
    socket_->core.set_handler(*socket_, handler);
  }
}
void Stream::send(Slice bytes) {
  if (socket_ != nullptr) {
    socket_->core.queue(*socket_, std::move(bytes));
  }
}
void Stream::send_copy(std::string_view bytes) {
  if (socket_ != nullptr) {
    socket_->core.queue_copy(*socket_, bytes);
  }
}
std::size_t Stream::queued_bytes() const noexcept {
  return socket_ == nullptr ? 0 : socket_->output.bytes();
}
void Stream::pause() {
  if (socket_ != nullptr) {
    socket_->core.set_paused(*socket_, true);
  }
}
void Stream::resume() {
  if (socket_ != nullptr) {
    socket_->core.set_paused(*socket_, false);
  }
}
bool Stream::is_paused() const noexcept {
  return socket_ != nullptr && socket_->is_paused;
}
void Stream::close() {
  if (socket_ != nullptr) {
    socket_->core.kill(*socket_);
  }
}
void Stream::close_after_send(Deadline deadline) {
  if (socket_ != nullptr) {
    socket_->core.close_after_send(*socket_, deadline);
  }
}
int Stream::fd() const noexcept {
  return socket_ == nullptr ? -1 : socket_->fd;
}

}  // namespace sherd::net
