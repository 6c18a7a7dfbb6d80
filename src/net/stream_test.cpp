#include <random>
#include <thread>

#include <sys/ioctl.h>

#include "engine_fixture.hpp"

namespace sherd::net {
namespace {

class StreamTest : public EngineTest {};
INSTANTIATE_TEST_SUITE_P(Engines, StreamTest, kAllSettings, name_of);

TEST_P(StreamTest, EchoOfRandomChunksIsTheSameBytes) {
  std::mt19937 random(42);
  auto [client, server] = make_streams();
  Recorder at_client;
  Recorder at_server;
  at_server.when_bytes = [&server](Slice bytes) { server->send(std::move(bytes)); };
  client->set_handler(&at_client);
  server->set_handler(&at_server);
  std::string sent;
  for (int i = 0; i < 300; ++i) {
    const std::string chunk = pattern(sent.size(), 1 + random() % (i % 10 == 0 ? 30000 : 200));
    sent += chunk;
    random() % 2 == 0 ? client->send_copy(chunk) : client->send(Slice::copy_of(chunk));
    if (random() % 3 == 0) {
      run_for(0us);
    }
  }
  ASSERT_TRUE(run_until([&] { return at_client.received >= sent.size(); }));
  EXPECT_EQ(at_client.text, sent);
  EXPECT_EQ(client->queued_bytes(), 0U);
}

/// Sends the pattern as fast as back-pressure allows, and checks what comes.
class Pump : public Recorder {
 public:
  static constexpr std::size_t kChunk = 24 * 1024;
  static constexpr std::size_t kLimit = 128 * 1024;

  Pump(Stream& stream, std::size_t total) : stream_(stream), total_(total) {
    keep_text = false;
    when_drained = [this] { pump(); };
    when_bytes = [this](const Slice& bytes) { check(bytes); };
  }
  void pump() {
    while (sent_ < total_ && stream_.queued_bytes() < kLimit) {
      const std::size_t size = std::min(kChunk, total_ - sent_);
      stream_.send(Slice::adopt(pattern(sent_, size)));
      sent_ += size;
      most_queued = std::max(most_queued, stream_.queued_bytes());
    }
  }
  std::size_t most_queued = 0;
  std::size_t wrong = 0;

 private:
  void check(const Slice& bytes) {
    const std::size_t from = received - bytes.size();
    wrong += bytes.text() == pattern(from, bytes.size()) ? 0 : 1;
  }
  Stream& stream_;
  std::size_t total_;
  std::size_t sent_ = 0;
};

TEST_P(StreamTest, BigTransferInBothDirectionsArrivesWholeWithBoundedQueues) {
  const std::size_t total = std::size_t{kIsSanitized ? 10 : 200} << 20;
  auto [a, b] = make_streams();
  Pump at_a(*a, total);
  Pump at_b(*b, total);
  a->set_handler(&at_a);
  b->set_handler(&at_b);
  at_a.pump();
  at_b.pump();
  ASSERT_TRUE(run_until([&] { return at_a.received == total && at_b.received == total; }));
  EXPECT_EQ(at_a.wrong + at_b.wrong, 0U);
  EXPECT_LE(std::max(at_a.most_queued, at_b.most_queued), Pump::kLimit + Pump::kChunk);
}

TEST_P(StreamTest, ReaderThatPausesAtRandomGetsAllBytesInOrderAndNoneWhilePaused) {
  std::mt19937 random(4711);
  const std::size_t total = std::size_t{4} << 20;
  auto [a, b] = make_streams();
  Pump at_a(*a, total);
  Pump at_b(*b, 0);
  const auto check = at_b.when_bytes;
  at_b.when_bytes = [&](const Slice& bytes) {
    EXPECT_FALSE(b->is_paused());
    check(bytes);
    if (random() % 8 == 0) {
      b->pause();
      loop->start_timer(loop->now() + std::chrono::microseconds(random() % 300), [&] {
        b->resume();
      });
    }
  };
  a->set_handler(&at_a);
  b->set_handler(&at_b);
  at_a.pump();
  ASSERT_TRUE(run_until([&] { return at_b.received == total; }));
  EXPECT_EQ(at_b.wrong, 0U);
}

TEST_P(StreamTest, QueueOfAStalledReaderStaysAtItsLimit) {
  auto [a, b] = make_streams();
  Pump at_a(*a, std::size_t{64} << 20);
  a->set_handler(&at_a);
  at_a.pump();
  std::size_t before = 0;
  int same_checks = 0;
  const auto is_stalled = [&] {  // b has no handler: nothing is received
    const std::size_t now = a->queued_bytes();
    same_checks = std::exchange(before, now) == now ? same_checks + 1 : 0;
    return now >= std::size_t{16} * 1024 && same_checks > 20;
  };
  EXPECT_TRUE(run_until(is_stalled));
  EXPECT_LE(at_a.most_queued, Pump::kLimit + Pump::kChunk);
}

TEST_P(StreamTest, PauseAndResumeWithinOneTurnLoseNothing) {
  auto [a, b] = make_streams();
  Recorder at_b;
  b->set_handler(&at_b);
  for (int i = 0; i < 50; ++i) {
    b->pause();
    b->resume();
    a->send_copy("tick");
    run_for(0us);
    b->pause();
    run_for(0us);
    b->resume();
  }
  ASSERT_TRUE(run_until([&] { return at_b.received == 200; }));
}

TEST_P(StreamTest, OneStreamGetsNoMoreThanItsShareOfATurn) {
  LoopOptions options;
  options.receive_buffer_bytes = 1024;
  options.turn_stream_bytes = 4096;
  make_loop(options);
  auto [a, b] = make_streams();
  const std::size_t total = 400 * 1024;
  Pump at_a(*a, total);
  Recorder at_b;
  std::size_t in_turn = 0;
  std::size_t most_in_turn = 0;
  at_b.when_bytes = [&](const Slice& bytes) {
    if (in_turn == 0) {
      loop->defer([&] { in_turn = 0; });
    }
    in_turn += bytes.size();
    most_in_turn = std::max(most_in_turn, in_turn);
  };
  a->set_handler(&at_a);
  b->set_handler(&at_b);
  at_a.pump();
  ASSERT_TRUE(run_until([&] { return at_b.received == total; }));
  EXPECT_EQ(at_b.text, pattern(0, total));
  EXPECT_LE(most_in_turn, options.turn_stream_bytes + options.receive_buffer_bytes);
}

TEST_P(StreamTest, HoardedSlicesNeitherStarveTheLoopNorChange) {
  LoopOptions options;
  options.receive_buffers = 8;
  options.receive_buffer_bytes = 512;
  make_loop(options);
  const std::size_t total = 1 << 20;
  auto [a, b] = make_streams();
  Pump at_a(*a, total);
  Recorder at_b;
  at_b.keep_text = false;
  std::vector<Slice> hoard;
  at_b.when_bytes = [&](Slice bytes) { hoard.push_back(std::move(bytes)); };
  a->set_handler(&at_a);
  b->set_handler(&at_b);
  at_a.pump();
  ASSERT_TRUE(run_until([&] { return at_b.received == total; }));
  a.reset();
  b.reset();
  loop.reset();  // slices may outlive it
  std::string text;
  for (const Slice& slice : hoard) {
    text += slice.text();
  }
  EXPECT_EQ(text, pattern(0, total));
}

TEST_P(StreamTest, ManyStreamsShareFewBuffers) {
  LoopOptions options;
  options.receive_buffers = 8;
  make_loop(options);
  std::vector<std::array<std::unique_ptr<Stream>, 2>> pairs;
  std::vector<Recorder> recorders(100);
  for (Recorder& recorder : recorders) {
    pairs.push_back(make_streams());
    pairs.back()[1]->set_handler(&recorder);
    pairs.back()[0]->send(Slice::adopt(pattern(0, 100'000)));
  }
  const auto is_done = [](const Recorder& recorder) { return recorder.received == 100'000; };
  ASSERT_TRUE(run_until([&] { return std::ranges::all_of(recorders, is_done); }));
  for (const Recorder& recorder : recorders) {
    ASSERT_EQ(recorder.text, pattern(0, 100'000));
  }
}

TEST_P(StreamTest, BytesBeforeTheEndComeBeforeTheEnd) {
  const auto pair = connected_pair(GetParam().transport);
  const auto stream = loop->adopt(pair[0]);
  ASSERT_EQ(::send(pair[1], "last words", 10, 0), 10);
  ::close(pair[1]);
  stream->send_copy("into the void");  // fails, but must not hide what the peer said
  run_for(5ms);
  stream->send_copy("again");
  run_for(5ms);
  Recorder recorder;
  stream->set_handler(&recorder);
  ASSERT_TRUE(run_until([&] { return recorder.error.has_value(); }));
  EXPECT_EQ(recorder.text, "last words");
  EXPECT_EQ(recorder.error->code, ErrorCode::kConnectionFailed);
}

TEST_P(StreamTest, PeerThatEndedItsSideStillGetsTheAnswer) {
  const auto pair = connected_pair(GetParam().transport);
  auto stream = loop->adopt(pair[0]);
  Recorder recorder;
  recorder.when_closed = [&] {
    stream->send_copy("answer to ");
    stream->send_copy(recorder.text);
    stream->close_after_send(Deadline::after(system_clock(), 5s));
    stream.reset();
  };
  stream->set_handler(&recorder);
  ASSERT_EQ(::send(pair[1], "question", 8, 0), 8);
  ::shutdown(pair[1], SHUT_WR);
  ASSERT_TRUE(run_until([&] { return stream == nullptr; }));
  run_for(1ms);
  char answer[100];
  ASSERT_EQ(::recv(pair[1], answer, sizeof answer, MSG_WAITALL), 18);
  EXPECT_EQ(std::string_view(answer, 18), "answer to question");
  ::close(pair[1]);
}

TEST_P(StreamTest, CloseAfterSendDeliversEverythingToASlowReader) {
  const auto pair = connected_pair(GetParam().transport);
  auto stream = loop->adopt(pair[0]);
  const std::size_t total = 5 << 20;
  ASSERT_EQ(::send(pair[1], "unread request", 14, 0), 14);  // must not turn our close into a reset
  stream->send(Slice::adopt(pattern(0, total)));
  stream->close_after_send(Deadline::after(system_clock(), 20s));
  stream.reset();
  std::string text;
  std::thread reader([&] {
    char bytes[20000];
    for (ssize_t n = 0; (n = ::recv(pair[1], bytes, sizeof bytes, 0)) > 0;) {
      text.append(bytes, static_cast<std::size_t>(n));
    }
    ::close(pair[1]);
    loop->stop();
  });
  loop->run();
  reader.join();
  EXPECT_TRUE(text == pattern(0, total)) << text.size();
}

TEST_P(StreamTest, CloseAfterSendGivesUpAtItsDeadline) {
  const auto pair = connected_pair(GetParam().transport);
  const std::size_t before = open_descriptors();
  auto stream = loop->adopt(pair[0]);
  stream->send(Slice::adopt(std::string(20 << 20, 'x')));
  stream->close_after_send(Deadline::after(system_clock(), 30ms));
  ASSERT_TRUE(run_until([&] { return open_descriptors() == before - 1; }));
  ::close(pair[1]);
}

TEST_P(StreamTest, QueueBeyondItsBoundFailsTheConnection) {
  LoopOptions options;
  options.max_queued_bytes = 1 << 20;
  make_loop(options);
  auto [a, b] = make_streams();
  Recorder at_a;
  a->set_handler(&at_a);
  for (int i = 0; i < 30 && !at_a.error; ++i) {
    a->send(Slice::adopt(std::string(300'000, 'x')));
    run_for(100us);
  }
  ASSERT_TRUE(run_until([&] { return at_a.error.has_value(); }));
  EXPECT_EQ(at_a.error->code, ErrorCode::kConfigLimit);
}

TEST_P(StreamTest, HandlerChangedInACallbackGetsTheNextBytes) {
  auto [a, b] = make_streams();
  Recorder second;
  Recorder first;
  first.when_bytes = [&](const Slice&) { b->set_handler(&second); };
  b->set_handler(&first);
  a->send_copy("one");
  ASSERT_TRUE(run_until([&] { return first.received == 3; }));
  a->send_copy("two");
  ASSERT_TRUE(run_until([&] { return second.received == 3; }));
  EXPECT_EQ(first.text + second.text, "onetwo");
}

TEST_P(StreamTest, CallsAfterCloseDoNothing) {
  auto [a, b] = make_streams();
  Recorder recorder;
  a->set_handler(&recorder);
  a->close();
  a->send_copy("x");
  a->resume();
  a->set_handler(&recorder);
  a->close_after_send(Deadline::never());
  run_for(1ms);
  EXPECT_EQ(a->fd(), -1);
  EXPECT_EQ(a->queued_bytes(), 0U);
  EXPECT_FALSE(recorder.error);
}

// ---- the end at every moment

enum class Ending : std::uint8_t { kDestroy, kClose, kCloseAfterSend, kPeerDestroy };

/// Two peers play ping-pong with growing messages; at the n-th callback one of them ends it.
class EndingGame {
 public:
  EndingGame(std::array<std::unique_ptr<Stream>, 2> streams, int end_at, Ending ending)
      : streams_(std::move(streams)), end_at_(end_at), ending_(ending) {
    for (std::size_t i = 0; i < 2; ++i) {
      recorders_[i].when_bytes = [this, i](Slice bytes) { on_bytes(i, std::move(bytes)); };
      recorders_[i].when_closed = [this, i] {
        event(i);
        streams_[i].reset();
      };
      recorders_[i].when_drained = [this, i] { event(i); };
      streams_[i]->set_handler(&recorders_[i]);
    }
    streams_[0]->send(Slice::adopt(pattern(0, 70'000)));
  }
  [[nodiscard]] bool is_over() const { return is_ended_ && !streams_[0] && !streams_[1]; }

 private:
  void on_bytes(std::size_t i, Slice bytes) {
    event(i);
    if (streams_[i]) {
      streams_[i]->send(bytes.sub(0, bytes.size() / 2 + 1));
      streams_[i]->send_copy("and some more");
    }
  }
  void event(std::size_t i) {
    if (++events_ < end_at_ || is_ended_) {
      return;
    }
    is_ended_ = true;
    switch (ending_) {
      case Ending::kDestroy:
        streams_[i].reset();
        break;
      case Ending::kPeerDestroy:
        streams_[1 - i].reset();
        break;
      case Ending::kClose:
        streams_[i]->close();
        streams_[i].reset();
        break;
      case Ending::kCloseAfterSend:
        streams_[i]->close_after_send(Deadline::after(system_clock(), 1s));
        streams_[i].reset();
        break;
    }
  }

  std::array<std::unique_ptr<Stream>, 2> streams_;
  std::array<Recorder, 2> recorders_;
  int end_at_;
  Ending ending_;
  int events_ = 0;
  bool is_ended_ = false;
};

TEST_P(StreamTest, EndAtEveryMomentReachesThePeerAndLeavesNothing) {
  for (const Ending ending :
       {Ending::kDestroy, Ending::kClose, Ending::kCloseAfterSend, Ending::kPeerDestroy}) {
    for (int n = 1; n <= 40; ++n) {
      EndingGame game(make_streams(), n, ending);
      ASSERT_TRUE(run_until([&] { return game.is_over(); })) << n;
    }
  }
}

TEST_P(StreamTest, LoopMayGoWhileStreamsAreBusy) {
  for (int turns = 0; turns < 6; ++turns) {
    auto [a, b] = make_streams();
    Recorder recorder;
    a->send(Slice::adopt(std::string(3 << 20, 'x')));
    b->set_handler(&recorder);
    a->set_handler(&recorder);
    for (int i = 0; i < turns; ++i) {
      run_for(0us);
    }
    make_loop({});
    EXPECT_EQ(a->fd(), -1);
  }
}

TEST_P(StreamTest, StreamThatIsNeverRunIsClosedWithTheLoop) {
  const auto pair = connected_pair(GetParam().transport);
  auto stream = loop->adopt(pair[0]);
  stream->send_copy("never sent");
  loop.reset();
  char byte = 0;
  EXPECT_EQ(::recv(pair[1], &byte, 1, 0), 0);
  ::close(pair[1]);
}

}  // namespace
}  // namespace sherd::net
