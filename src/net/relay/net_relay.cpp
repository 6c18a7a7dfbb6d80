// A byte relay between clients and one server, to measure what the loop itself costs:
//   net_relay uring|epoll LISTEN_HOST LISTEN_PORT SERVER_HOST SERVER_PORT
// Ends on SIGTERM; prints its processor time in microseconds whenever it gets SIGUSR1 and at the
// end.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>

#include <fmt/format.h>
#include <pthread.h>
#include <sys/resource.h>

#include <sherd/net/loop.hpp>

namespace sherd::net {
namespace {

constexpr std::size_t kQueueLimit = 256 * 1024;
constexpr std::chrono::seconds kConnectTime{5};

/// One client, its server connection, and the bytes between them.
class Relay {
 public:
  Relay(std::unique_ptr<Stream> client, std::unique_ptr<Stream> server, Callback done)
      : done_(std::move(done)), to_server_(*this), to_client_(*this) {
    to_server_.from = std::move(client);
    to_client_.from = std::move(server);
    to_server_.to = to_client_.from.get();
    to_client_.to = to_server_.from.get();
    to_server_.from->set_handler(&to_server_);
    to_client_.from->set_handler(&to_client_);
  }

 private:
  struct Direction final : StreamHandler {
    explicit Direction(Relay& of) noexcept : relay(of) {}
    void on_bytes(Slice bytes) override {
      to->send(std::move(bytes));
      if (to->queued_bytes() > kQueueLimit) {
        from->pause();
      }
    }
    void on_drained() override { to->resume(); }  // what comes the other way goes out here
    void on_closed(const Error&) override {
      to->close_after_send(Deadline::after(system_clock(), kConnectTime));
      relay.done_();  // destroys the relay
    }
    Relay& relay;
    std::unique_ptr<Stream> from;
    Stream* to = nullptr;
  };

  Callback done_;
  Direction to_server_;
  Direction to_client_;
};

class RelayServer {
 public:
  RelayServer(Loop& loop, Address server) : loop_(loop), server_(std::move(server)) {}

  void accept(int fd) {
    auto client = std::make_shared<std::unique_ptr<Stream>>(loop_.adopt(fd));
    loop_.connect(
        server_, Deadline::after(loop_.clock(), kConnectTime),
        [this, client](Result<std::unique_ptr<Stream>> server) {
          if (!server) {
            fmt::print(stderr, "{}\n", to_string(server.error()));
            return;
          }
          const std::uint64_t number = next_++;
          relays_[number] =
              std::make_unique<Relay>(std::move(*client), *std::move(server), [this, number] {
                loop_.defer([this, number] { relays_.erase(number); });
              });
        }
    );
  }

 private:
  Loop& loop_;
  const Address server_;
  std::uint64_t next_ = 0;
  std::unordered_map<std::uint64_t, std::unique_ptr<Relay>> relays_;
};

void print_processor_time() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto microseconds = [](const timeval& time) {
    return time.tv_sec * 1'000'000L + time.tv_usec;
  };
  fmt::print("{}\n", microseconds(usage.ru_utime) + microseconds(usage.ru_stime));
  std::fflush(stdout);
}

int run(EngineKind engine, const Address& where, const Address& server) {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGTERM);
  ::sigaddset(&signals, SIGUSR1);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  LoopOptions options;
  options.engine = engine;
  auto loop = Loop::create(options);
  if (!loop) {
    fmt::print(stderr, "{}\n", to_string(loop.error()));
    return 1;
  }
  std::thread signal_thread([&] {
    int signal = 0;
    while (::sigwait(&signals, &signal) == 0 && signal != SIGTERM) {
      print_processor_time();
    }
    (*loop)->stop();
  });
  int status = 0;
  {
    RelayServer relays(**loop, server);
    const auto listener = (*loop)->listen(where, [&](int fd) { relays.accept(fd); });
    if (listener) {
      fmt::print(stderr, "relaying at {}\n", to_string((*listener)->address()));
      (*loop)->run();
    } else {
      fmt::print(stderr, "{}\n", to_string(listener.error()));
      ::pthread_kill(signal_thread.native_handle(), SIGTERM);
      status = 1;
    }
  }
  signal_thread.join();
  print_processor_time();
  return status;
}

}  // namespace
}  // namespace sherd::net

int main(int count, char** arguments) {
  using namespace sherd::net;
  const std::string_view engine = count == 6 ? arguments[1] : "";
  if (engine != "uring" && engine != "epoll") {
    fmt::print(stderr, "usage: net_relay uring|epoll LISTEN_HOST PORT SERVER_HOST PORT\n");
    return 2;
  }
  const auto address = [&](int at) {
    return Address{arguments[at], static_cast<std::uint16_t>(std::atoi(arguments[at + 1]))};
  };
  return run(engine == "uring" ? EngineKind::kUring : EngineKind::kEpoll, address(2), address(4));
}
