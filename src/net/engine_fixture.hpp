#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <dirent.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sherd/net/loop.hpp>

namespace sherd::net {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kIsSanitized = true;
#else
inline constexpr bool kIsSanitized = false;
#endif
#endif

using namespace std::chrono_literals;

enum class Transport : std::uint8_t { kUnix, kTcp };

struct Setting {
  EngineKind engine;
  Transport transport;
};

inline std::string name_of(const testing::TestParamInfo<Setting>& info) {
  const std::string engine = info.param.engine == EngineKind::kUring ? "Uring" : "Epoll";
  return engine + (info.param.transport == Transport::kUnix ? "Unix" : "Tcp");
}

inline const auto kAllSettings = testing::Values(
    Setting{EngineKind::kUring, Transport::kUnix}, Setting{EngineKind::kUring, Transport::kTcp},
    Setting{EngineKind::kEpoll, Transport::kUnix}, Setting{EngineKind::kEpoll, Transport::kTcp}
);

inline std::size_t open_descriptors() {
  DIR* folder = ::opendir("/proc/self/fd");
  std::size_t count = 0;
  while (::readdir(folder) != nullptr) {
    ++count;
  }
  ::closedir(folder);
  return count;
}

/// Two connected blocking sockets.
inline std::array<int, 2> connected_pair(Transport transport) {
  std::array<int, 2> pair{-1, -1};
  if (transport == Transport::kUnix) {
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()), 0);
    return pair;
  }
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::listen(listener, 1), 0);
  EXPECT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  pair[0] = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(::connect(pair[0], reinterpret_cast<sockaddr*>(&address), size), 0);
  pair[1] = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  EXPECT_GE(pair[1], 0);
  ::close(listener);
  return pair;
}

/// The byte at `position` of an endless pattern whose shifted copies differ.
inline char pattern_at(std::uint64_t position) {
  std::uint64_t x = (position / 7 + 1) * 0x9e3779b97f4a7c15ULL;
  x ^= x >> 29;
  return static_cast<char>(x + position);
}
inline std::string pattern(std::uint64_t from, std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) {
    text[i] = pattern_at(from + i);
  }
  return text;
}

/// Remembers what a stream told, and lets a test step in.
class Recorder : public StreamHandler {
 public:
  void on_bytes(Slice bytes) override {
    EXPECT_FALSE(bytes.empty());
    EXPECT_FALSE(error) << "bytes after on_closed";
    if (keep_text) {
      text += bytes.text();
    }
    received += bytes.size();
    if (when_bytes) {
      when_bytes(std::move(bytes));
    }
  }
  void on_drained() override {
    EXPECT_FALSE(error) << "on_drained after on_closed";
    ++drained;
    if (when_drained) {
      when_drained();
    }
  }
  void on_closed(const Error& reason) override {
    EXPECT_FALSE(error) << "closed twice";
    error = reason;
    if (when_closed) {
      when_closed();
    }
  }

  bool keep_text = true;
  std::string text;
  std::size_t received = 0;
  int drained = 0;
  std::optional<Error> error;
  std::function<void(Slice)> when_bytes;
  std::function<void()> when_drained;
  std::function<void()> when_closed;
};

/// A loop of the engine under test, with time limits and a check that no descriptor is left.
class EngineTest : public testing::TestWithParam<Setting> {
 protected:
  void SetUp() override {
    descriptors_ = open_descriptors();
    make_loop({});
  }
  void TearDown() override {
    loop.reset();
    EXPECT_EQ(open_descriptors(), descriptors_) << "descriptors leaked";
  }

  void make_loop(LoopOptions options) {
    options.engine = GetParam().engine;
    loop.reset();
    auto made = Loop::create(options);
    ASSERT_TRUE(made) << to_string(made.error());
    loop = *std::move(made);
    ASSERT_EQ(loop->engine(), GetParam().engine);
  }

  /// Runs the loop until `condition` holds; false when it does not within 60 s.
  bool run_until(const std::function<bool()>& condition) {
    const TimePoint limit = system_clock().now() + 60s;
    while (!condition()) {
      if (system_clock().now() > limit) {
        return false;
      }
      run_for(500us);
    }
    return true;
  }
  void run_for(Duration span) {
    loop->start_timer(system_clock().now() + span, [this] { loop->stop(); });
    loop->run();
  }
  /// Both ends as streams of the loop.
  std::array<std::unique_ptr<Stream>, 2> make_streams() {
    const auto pair = connected_pair(GetParam().transport);
    return {loop->adopt(pair[0]), loop->adopt(pair[1])};
  }

  std::unique_ptr<Loop> loop;

 private:
  std::size_t descriptors_ = 0;
};

}  // namespace sherd::net
