#include <array>
#include <atomic>
#include <cstdlib>
#include <new>

#include <benchmark/benchmark.h>
#include <sys/socket.h>

#include <sherd/net/loop.hpp>

namespace {
std::atomic<std::size_t> allocations{0};
}  // namespace

void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size)) {
    return memory;
  }
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace sherd::net {
namespace {

/// Sends back what comes, and stops the loop after a number of messages.
class Echo final : public StreamHandler {
 public:
  Echo(Loop& loop, Stream& stream) : loop_(loop), stream_(stream) {}
  void on_bytes(Slice bytes) override {
    if (left > 0 && --left == 0) {
      kept_ = std::move(bytes);
      loop_.stop();
      return;
    }
    stream_.send(std::move(bytes));
  }
  void on_closed(const Error&) override { std::abort(); }
  [[nodiscard]] Slice take() { return std::move(kept_); }
  std::size_t left = 0;

 private:
  Loop& loop_;
  Stream& stream_;
  Slice kept_;
};

/// Round trips of one message between two streams of a loop: no allocation per message is the
/// claim.
void round_trips(benchmark::State& state, EngineKind engine) {
  constexpr std::size_t kTrips = 1000;
  LoopOptions options;
  options.engine = engine;
  const auto loop = Loop::create(options);
  std::array<int, 2> pair{};
  if (!loop || ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0) {
    state.SkipWithError("no loop or no sockets");
    return;
  }
  const auto a = (*loop)->adopt(pair[0]);
  const auto b = (*loop)->adopt(pair[1]);
  Echo at_a(**loop, *a);
  Echo at_b(**loop, *b);
  a->set_handler(&at_a);
  b->set_handler(&at_b);
  Slice message = Slice::copy_of(std::string(100, 'x'));
  const auto run = [&] {
    at_a.left = kTrips;
    a->send(std::move(message));
    (*loop)->run();
    message = at_a.take();
  };
  run();  // lists reach their size
  const std::size_t before = allocations.load();
  std::size_t trips = 0;
  for (auto _ : state) {
    run();
    trips += kTrips;
  }
  const std::size_t made = allocations.load() - before;
  state.SetItemsProcessed(static_cast<std::int64_t>(trips));
  state.counters["allocations"] = static_cast<double>(made) / static_cast<double>(trips);
  if (made > trips / 100) {
    state.SkipWithError("allocates per message");
  }
}
BENCHMARK_CAPTURE(round_trips, uring, EngineKind::kUring);
BENCHMARK_CAPTURE(round_trips, epoll, EngineKind::kEpoll);

}  // namespace
}  // namespace sherd::net
