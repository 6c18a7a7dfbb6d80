#include "uring_engine.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sherd/base/check.hpp>

#include "core.hpp"
#include "engine.hpp"

namespace sherd::net {

namespace {

constexpr unsigned kSubmissions = 1024;
constexpr unsigned kCompletions = 8192;
constexpr std::size_t kSendPieces = 64;
constexpr std::size_t kSendBytes = 256 * 1024;  // of one send
constexpr std::size_t kCompletionsPerTake = 256;

/// What a completion belongs to: in the low bits of the source's address, which new aligns to 16.
enum class Operation : std::uint64_t { kIgnored = 0, kReceive = 1, kSend = 2, kPoll = 3 };
constexpr std::uint64_t kOperationMask = 15;
static_assert(__STDCPP_DEFAULT_NEW_ALIGNMENT__ >= 16);

std::uint64_t tag_of(const Source& source, Operation operation) noexcept {
  return reinterpret_cast<std::uintptr_t>(&source) | static_cast<std::uint64_t>(operation);
}

/// Multishot receives from a buffer ring, sends through the ring, polls for what has no operation
/// of its own. Submissions are prepared when sources are settled and given to the kernel by wait().
class UringEngine final : public Engine {
 public:
  UringEngine(
      LoopCore& core, BufferPool::Ptr pool, std::unique_ptr<Ring> ring,
      std::unique_ptr<BufferRing> buffers
  ) noexcept
      : core_(core), pool_(std::move(pool)), buffers_(std::move(buffers)), ring_(std::move(ring)) {}

  [[nodiscard]] EngineKind kind() const noexcept override { return EngineKind::kUring; }
  void bind() override;
  [[nodiscard]] bool is_usable_here() const noexcept override {
    return thread_ == 0 || thread_ == ::gettid();
  }
  void settle(Watch& watch) override;
  void settle(Socket& socket) override;
  void wait(Duration timeout) override;
  void flush() override;
  void dispatch(std::size_t limit) override;

 private:
  /// A send's pieces: the kernel has copied them when the submission is done.
  struct SendPieces {
    msghdr message{};
    std::array<iovec, kSendPieces> pieces{};
  };

  [[nodiscard]] io_uring_sqe& next_submission();
  void submitted() noexcept { used_pieces_ = 0; }
  void cancel(const Source& source, Operation operation);
  void receive(Socket& socket);
  void send(Socket& socket);
  void on_completion(const io_uring_cqe& completion);
  void on_receive(Socket& socket, const io_uring_cqe& completion);
  void on_send(Socket& socket, int result);
  void on_poll(Watch& watch, int result);

  LoopCore& core_;
  pid_t thread_ = 0;
  BufferPool::Ptr pool_;
  std::unique_ptr<BufferRing> buffers_;
  std::unique_ptr<Ring> ring_;  // goes first: then the kernel uses none of the above any more
  std::vector<std::unique_ptr<SendPieces>> pieces_;
  std::size_t used_pieces_ = 0;
};

void UringEngine::bind() {
  thread_ = ::gettid();
  const auto enabled = ring_->enable();
  SHERD_CHECK(enabled.has_value());  // the probe has done the same
}

// ---- submitting

io_uring_sqe& UringEngine::next_submission() {
  io_uring_sqe* entry = io_uring_get_sqe(ring_->get());
  while (entry == nullptr) {
    flush();
    entry = io_uring_get_sqe(ring_->get());
  }
  return *entry;
}

void UringEngine::flush() {
  if (io_uring_sq_ready(ring_->get()) > 0) {
    const int status = io_uring_submit(ring_->get());
    if (status == -EBUSY || status == -EAGAIN) {
      io_uring_get_events(ring_->get());  // the kernel wants its backlog of completions gone first
    }
    if (io_uring_sq_ready(ring_->get()) == 0) {
      submitted();
    }
  }
}

void UringEngine::wait(Duration timeout) {
  io_uring* ring = ring_->get();
  int status = 0;
  if (timeout == Duration::zero() || io_uring_cq_ready(ring) > 0) {
    status = io_uring_submit_and_get_events(ring);
  } else if (timeout < Duration::zero()) {
    status = io_uring_submit_and_wait(ring, 1);
  } else {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(timeout);
    __kernel_timespec limit{.tv_sec = seconds.count(), .tv_nsec = (timeout - seconds).count()};
    io_uring_cqe* first = nullptr;
    status = io_uring_submit_and_wait_timeout(ring, &first, 1, &limit, nullptr);
  }
  const bool is_fine =
      status >= 0 || status == -ETIME || status == -EINTR || status == -EAGAIN || status == -EBUSY;
  SHERD_CHECK(is_fine);
  if (io_uring_sq_ready(ring) == 0) {
    submitted();
  }
}

void UringEngine::cancel(const Source& source, Operation operation) {
  io_uring_sqe& entry = next_submission();
  io_uring_prep_cancel64(&entry, tag_of(source, operation), 0);
  io_uring_sqe_set_data64(&entry, static_cast<std::uint64_t>(Operation::kIgnored));
  entry.flags |= IOSQE_CQE_SKIP_SUCCESS;
}

void UringEngine::receive(Socket& socket) {
  io_uring_sqe& entry = next_submission();
  io_uring_prep_recv_multishot(&entry, socket.fd, nullptr, 0, 0);
  entry.flags |= IOSQE_BUFFER_SELECT;
  entry.buf_group = BufferRing::kGroup;
  io_uring_sqe_set_data64(&entry, tag_of(socket, Operation::kReceive));
  socket.is_receiving = true;
}

void UringEngine::send(Socket& socket) {
  io_uring_sqe& entry = next_submission();  // first, as it may submit and so free all pieces
  if (used_pieces_ == pieces_.size()) {
    pieces_.push_back(std::make_unique<SendPieces>());
  }
  SendPieces& send = *pieces_[used_pieces_];
  const std::size_t count = socket.output.fill(send.pieces, kSendBytes);
  if (count == 1) {
    const iovec& piece = send.pieces[0];
    io_uring_prep_send(&entry, socket.fd, piece.iov_base, piece.iov_len, MSG_NOSIGNAL);
  } else {
    send.message.msg_iov = send.pieces.data();
    send.message.msg_iovlen = count;
    io_uring_prep_sendmsg(&entry, socket.fd, &send.message, MSG_NOSIGNAL);
    ++used_pieces_;
  }
  io_uring_sqe_set_data64(&entry, tag_of(socket, Operation::kSend));
  socket.is_sending = true;
}

// ---- settling

void UringEngine::settle(Watch& watch) {
  const bool is_wanted = !watch.is_dead && watch.is_armed;
  if (is_wanted && !watch.is_polling) {
    io_uring_sqe& entry = next_submission();
    io_uring_prep_poll_add(&entry, watch.fd, watch.events);
    io_uring_sqe_set_data64(&entry, tag_of(watch, Operation::kPoll));
    watch.is_polling = true;
  } else if (!is_wanted && watch.is_polling && !watch.is_cancelling) {
    cancel(watch, Operation::kPoll);
    watch.is_cancelling = true;
  } else if (watch.is_dead && !watch.is_polling) {
    core_.erase(watch);
  }
}

void UringEngine::settle(Socket& socket) {
  const bool wants_receive = LoopCore::wants_receive(socket);
  if (wants_receive && !socket.is_receiving) {
    receive(socket);
  } else if (!wants_receive && socket.is_receiving && !socket.is_receive_cancelling) {
    cancel(socket, Operation::kReceive);
    socket.is_receive_cancelling = true;
  }
  const bool is_send_lost = socket.is_dead || socket.is_send_broken;
  if (socket.is_sending) {
    if (is_send_lost && !socket.is_send_cancelling) {
      cancel(socket, Operation::kSend);
      socket.is_send_cancelling = true;
    }
  } else if (!is_send_lost && !socket.output.empty()) {
    send(socket);
  }
  if (socket.is_dead && !socket.is_receiving && !socket.is_sending) {
    core_.erase(socket);
  }
}

// ---- completions

void UringEngine::dispatch(std::size_t limit) {
  std::array<io_uring_cqe*, kCompletionsPerTake> taken;
  while (limit > 0) {
    const unsigned count = io_uring_peek_batch_cqe(
        ring_->get(), taken.data(), static_cast<unsigned>(std::min(limit, taken.size()))
    );
    if (count == 0) {
      return;
    }
    for (unsigned i = 0; i < count; ++i) {
      on_completion(*taken[i]);
    }
    io_uring_cq_advance(ring_->get(), count);
    limit -= count;
  }
}

void UringEngine::on_completion(const io_uring_cqe& completion) {
  const auto operation = static_cast<Operation>(completion.user_data & kOperationMask);
  auto* source = reinterpret_cast<Source*>(completion.user_data & ~kOperationMask);
  switch (operation) {
    case Operation::kReceive:
      on_receive(static_cast<Socket&>(*source), completion);
      break;
    case Operation::kSend:
      on_send(static_cast<Socket&>(*source), completion.res);
      break;
    case Operation::kPoll:
      on_poll(static_cast<Watch&>(*source), completion.res);
      break;
    case Operation::kIgnored:
      break;
  }
}

void UringEngine::on_receive(Socket& socket, const io_uring_cqe& completion) {
  if ((completion.flags & IORING_CQE_F_MORE) == 0) {
    socket.is_receiving = false;
    socket.is_receive_cancelling = false;
    core_.mark_dirty(socket);  // armed again, if still wanted
  }
  const int result = completion.res;
  if ((completion.flags & IORING_CQE_F_BUFFER) != 0) {
    const auto id = static_cast<std::uint16_t>(completion.flags >> IORING_CQE_BUFFER_SHIFT);
    pool_->taken(id);
    if (result > 0) {
      core_.received(socket, pool_->filled(id, static_cast<std::size_t>(result)));
      return;
    }
    pool_->give_back(id);
  }
  switch (-result) {
    case 0:
      core_.receive_ended(socket, 0);
      break;
    case ENOBUFS:  // every buffer was with us: each completion that we handle gives some back
    case ECANCELED:
    case EINTR:
    case EAGAIN:
      break;
    default:
      core_.receive_ended(socket, -result);
  }
}

void UringEngine::on_send(Socket& socket, int result) {
  socket.is_sending = false;
  socket.is_send_cancelling = false;
  if (socket.is_dead) {
    core_.mark_dirty(socket);
  } else if (result >= 0) {
    core_.sent(socket, static_cast<std::size_t>(result));
  } else if (result == -EINTR || result == -EAGAIN) {
    core_.mark_dirty(socket);
  } else {
    core_.send_failed(socket, -result);
  }
}

void UringEngine::on_poll(Watch& watch, int result) {
  watch.is_polling = false;
  watch.is_cancelling = false;
  core_.mark_dirty(watch);
  if (result >= 0) {
    core_.ready(watch, static_cast<std::uint32_t>(result));
  }
}

// ---- the probe

/// Whether a multishot receive into provided buffers works here: one round over a socket pair.
Result<> try_receive(Ring& ring, int in, int out) {
  io_uring_sqe* entry = io_uring_get_sqe(ring.get());
  io_uring_prep_recv_multishot(entry, in, nullptr, 0, 0);
  entry->flags |= IOSQE_BUFFER_SELECT;
  entry->buf_group = BufferRing::kGroup;
  const auto failed = [](int error) {
    return fail(
        ErrorCode::kUnsupported,
        fmt::format("io_uring has no multishot receive: {}", strerror(error))
    );
  };
  if (::send(out, "x", 1, MSG_NOSIGNAL) != 1) {
    return failed(errno);
  }
  __kernel_timespec limit{.tv_sec = 5, .tv_nsec = 0};
  io_uring_cqe* completion = nullptr;
  const int status = io_uring_submit_and_wait_timeout(ring.get(), &completion, 1, &limit, nullptr);
  if (status < 0 || completion == nullptr) {
    return failed(-status);
  }
  constexpr unsigned kExpected = IORING_CQE_F_BUFFER | IORING_CQE_F_MORE;
  const bool is_good = completion->res == 1 && (completion->flags & kExpected) == kExpected;
  const int error = std::max(0, -completion->res);
  io_uring_cqe_seen(ring.get(), completion);
  return is_good ? Result<>() : failed(error);
}

Result<> probe() {
  SHERD_TRY(const auto pool, BufferPool::create(8, 64));
  std::unique_ptr<BufferRing> buffers;  // outlives the ring
  SHERD_TRY(const auto ring, Ring::create(8, 16));
  SHERD_TRY(buffers, BufferRing::create(*ring, *pool));
  SHERD_TRY_VOID(ring->enable());
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0) {
    return fail(ErrorCode::kIo, fmt::format("could not make a socket: {}", strerror(errno)));
  }
  auto result = try_receive(*ring, pair[0], pair[1]);
  ::close(pair[0]);
  ::close(pair[1]);
  return result;
}

}  // namespace

Result<std::unique_ptr<Engine>> make_uring_engine(LoopCore& core, const LoopOptions& options) {
  static const Result<> probed = probe();
  SHERD_TRY_VOID(probed);
  SHERD_TRY(auto pool, BufferPool::create(options.receive_buffers, options.receive_buffer_bytes));
  std::unique_ptr<BufferRing> buffers;
  SHERD_TRY(auto ring, Ring::create(kSubmissions, kCompletions));
  SHERD_TRY(buffers, BufferRing::create(*ring, *pool));
  return std::make_unique<UringEngine>(core, std::move(pool), std::move(ring), std::move(buffers));
}

}  // namespace sherd::net
