#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "engine_fixture.hpp"

namespace sherd::net {
namespace {

using Connected = std::optional<Result<std::unique_ptr<Stream>>>;

class ConnectTest : public EngineTest {
 protected:
  void SetUp() override {
    EngineTest::SetUp();
    std::string name = testing::TempDir() + "sherd_net_XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    std::filesystem::remove_all(folder_);
    EngineTest::TearDown();
  }

  [[nodiscard]] Address address() const {
    return GetParam().transport == Transport::kUnix ? Address{folder_, 5432}
                                                    : Address{"127.0.0.1", 0};
  }
  Connected connect_to(Address address, Duration span = 30s) {
    Connected result;
    loop->connect(std::move(address), Deadline::after(system_clock(), span), [&](auto stream) {
      result = std::move(stream);
    });
    EXPECT_FALSE(result) << "called back from inside the call";
    EXPECT_TRUE(run_until([&] { return result.has_value(); }));
    return result;
  }
  /// A listener that never accepts and whose backlog is full; `fillers` hold it so.
  int stalled_listener(Address& address, std::vector<int>& fillers);

  std::string folder_;
};
INSTANTIATE_TEST_SUITE_P(Engines, ConnectTest, kAllSettings, name_of);

TEST_P(ConnectTest, ThousandConnectionsEachGetTheirOwnEcho) {
  constexpr std::size_t kConnections = 1000;
  std::vector<std::unique_ptr<Stream>> served;
  std::vector<std::unique_ptr<Recorder>> handlers;
  auto listener = loop->listen(address(), [&](int fd) {
    served.push_back(loop->adopt(fd));
    handlers.push_back(std::make_unique<Recorder>());
    handlers.back()->when_bytes = [stream = served.back().get()](Slice bytes) {
      stream->send(std::move(bytes));
    };
    served.back()->set_handler(handlers.back().get());
  });
  ASSERT_TRUE(listener) << to_string(listener.error());
  std::vector<std::unique_ptr<Stream>> clients(kConnections);
  std::vector<Recorder> recorders(kConnections);
  std::size_t failed = 0;
  for (std::size_t i = 0; i < kConnections; ++i) {
    loop->connect(
        (*listener)->address(), Deadline::after(system_clock(), 50s),
        [&, i](Result<std::unique_ptr<Stream>> stream) {
          if (!stream) {
            ++failed;
            return;
          }
          clients[i] = *std::move(stream);
          clients[i]->set_handler(&recorders[i]);
          clients[i]->send_copy(pattern(i, 100));
        }
    );
  }
  const auto is_done = [](const Recorder& recorder) { return recorder.received == 100; };
  ASSERT_TRUE(run_until([&] { return failed > 0 || std::ranges::all_of(recorders, is_done); }));
  EXPECT_EQ(failed, 0U);
  for (std::size_t i = 0; i < kConnections; ++i) {
    ASSERT_EQ(recorders[i].text, pattern(i, 100));
  }
}

TEST_P(ConnectTest, NobodyListeningIsCannotConnect) {
  Address nowhere = address();
  if (!nowhere.is_unix()) {
    auto listener = *loop->listen(nowhere, [](int fd) { ::close(fd); });
    nowhere = listener->address();
    listener.reset();
    run_for(1ms);
  }
  const Connected result = connect_to(nowhere);
  ASSERT_FALSE(*result);
  EXPECT_EQ(result->error().code, ErrorCode::kCannotConnect);
  EXPECT_NE(result->error().message.find(to_string(nowhere)), std::string::npos);
}

int ConnectTest::stalled_listener(Address& address, std::vector<int>& fillers) {
  sockaddr_un unix_address{};
  sockaddr_in ip_address{};
  sockaddr* native = nullptr;
  socklen_t size = 0;
  if (GetParam().transport == Transport::kUnix) {
    address = {folder_, 5432};
    unix_address.sun_family = AF_UNIX;
    (folder_ + "/.s.PGSQL.5432").copy(unix_address.sun_path, sizeof unix_address.sun_path - 1);
    native = reinterpret_cast<sockaddr*>(&unix_address);
    size = sizeof unix_address;
  } else {
    ip_address.sin_family = AF_INET;
    ip_address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    native = reinterpret_cast<sockaddr*>(&ip_address);
    size = sizeof ip_address;
  }
  const int family = native->sa_family;
  const int listener = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(::bind(listener, native, size), 0);
  EXPECT_EQ(::listen(listener, 0), 0);
  EXPECT_EQ(::getsockname(listener, native, &size), 0);
  if (family == AF_INET) {
    address = {"127.0.0.1", ntohs(ip_address.sin_port)};
  }
  for (int i = 0; i < 4; ++i) {
    fillers.push_back(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    std::ignore = ::connect(fillers.back(), native, size);
  }
  return listener;
}

TEST_P(ConnectTest, ListenerThatNeverAnswersIsTimeout) {
  Address stalled;
  std::vector<int> fillers;
  const int listener = stalled_listener(stalled, fillers);
  const Connected result = connect_to(stalled, 50ms);
  ASSERT_FALSE(*result);
  EXPECT_EQ(result->error().code, ErrorCode::kTimeout);
  for (const int fd : fillers) {
    ::close(fd);
  }
  ::close(listener);
}

TEST_P(ConnectTest, FullBacklogIsWaitedFor) {
  Address stalled;
  std::vector<int> fillers;
  const int listener = stalled_listener(stalled, fillers);
  std::vector<int> accepted;
  loop->start_timer(loop->now() + 20ms, [&] {
    ::fcntl(listener, F_SETFL, O_NONBLOCK);
    for (int fd = 0; (fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
      accepted.push_back(fd);
    }
  });
  const Connected result = connect_to(stalled);
  EXPECT_TRUE(*result);
  fillers.insert(fillers.end(), accepted.begin(), accepted.end());
  for (const int fd : fillers) {
    ::close(fd);
  }
  ::close(listener);
}

TEST_P(ConnectTest, NameIsLookedUpAndEachOfItsAddressesTried) {
  if (GetParam().transport == Transport::kUnix) {
    GTEST_SKIP() << "unix sockets have no names";
  }
  std::vector<int> accepted;
  const auto listener = *loop->listen({"127.0.0.1", 0}, [&](int fd) { accepted.push_back(fd); });
  {
    const Connected result =
        connect_to({"localhost", listener->address().port});  // maybe ::1 first
    ASSERT_TRUE(*result) << to_string(result->error());
    const auto peer = peer_address((**result)->fd());
    ASSERT_TRUE(peer);
    EXPECT_EQ(*peer, listener->address());
    ASSERT_TRUE(run_until([&] { return !accepted.empty(); }));
  }
  ::close(accepted.front());
}

TEST_P(ConnectTest, StarListensOnAllAddresses) {
  if (GetParam().transport == Transport::kUnix) {
    GTEST_SKIP() << "unix sockets have one address";
  }
  const auto listener = *loop->listen({"*", 0}, [](int fd) { ::close(fd); });
  EXPECT_TRUE(*connect_to({"127.0.0.1", listener->address().port}));
}

TEST_P(ConnectTest, UnknownNameFailsWithinItsDeadline) {
  const Connected result = connect_to({"no-such-host.invalid", 5432}, 200ms);
  ASSERT_FALSE(*result);
  EXPECT_TRUE(
      result->error().code == ErrorCode::kCannotConnect
      || result->error().code == ErrorCode::kTimeout
  );
}

TEST_P(ConnectTest, PathTooLongIsAnError) {
  const Connected result = connect_to({"/" + std::string(200, 'x'), 5432});
  ASSERT_FALSE(*result);
  EXPECT_EQ(result->error().code, ErrorCode::kCannotConnect);
}

TEST_P(ConnectTest, SecondListenerOnTheSameAddressFails) {
  const auto listener = *loop->listen(address(), [](int fd) { ::close(fd); });
  const auto second = loop->listen(listener->address(), [](int fd) { ::close(fd); });
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kCannotConnect);
}

TEST_P(ConnectTest, SocketFileOfADeadProcessIsReplaced) {
  if (GetParam().transport == Transport::kTcp) {
    GTEST_SKIP() << "only unix sockets leave files";
  }
  std::vector<int> fillers;
  Address left;
  ::close(stalled_listener(left, fillers));  // closed, but not unlinked
  for (const int fd : fillers) {
    ::close(fd);
  }
  auto listener = loop->listen(left, [](int fd) { ::close(fd); });
  ASSERT_TRUE(listener) << to_string(listener.error());
  EXPECT_TRUE(*connect_to(left));
  listener->reset();
  EXPECT_FALSE(std::filesystem::exists(to_string(left)));
}

TEST_P(ConnectTest, ListenerMayBeDestroyedByItsOwnCallback) {
  std::unique_ptr<Listener> listener;
  int calls = 0;
  listener = *loop->listen(address(), [&](int fd) {
    ::close(fd);
    ++calls;
    listener.reset();
  });
  const Address where = listener->address();
  for (int i = 0; i < 5; ++i) {
    loop->connect(where, Deadline::after(system_clock(), 5s), [](auto) {});
  }
  ASSERT_TRUE(run_until([&] { return listener == nullptr; }));
  run_for(5ms);
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace sherd::net
