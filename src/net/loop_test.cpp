#include <atomic>
#include <random>
#include <thread>

#include <sys/resource.h>

#include "engine_fixture.hpp"

namespace sherd::net {
namespace {

class LoopTest : public EngineTest {};
INSTANTIATE_TEST_SUITE_P(
    Engines, LoopTest,
    testing::Values(
        Setting{EngineKind::kUring, Transport::kUnix}, Setting{EngineKind::kEpoll, Transport::kUnix}
    ),
    name_of
);

TEST_P(LoopTest, StopBeforeRunEndsIt) {
  loop->stop();
  loop->run();
  SUCCEED();
}

TEST_P(LoopTest, TimersFireByTimeThenByStart) {
  std::string order;
  const TimePoint start = loop->now();
  loop->start_timer(start + 3ms, [&] { order += 'c'; });
  loop->start_timer(start + 1ms, [&] { order += 'a'; });
  loop->start_timer(start + 3ms, [&] { order += 'd'; });
  loop->start_timer(start + 2ms, [&] { order += 'b'; });
  loop->start_timer(start + 4ms, [&] { loop->stop(); });
  loop->run();
  EXPECT_EQ(order, "abcd");
}

TEST_P(LoopTest, TimerNeverFiresEarly) {
  for (const Duration span : {Duration(100us), Duration(1500us), Duration(7ms)}) {
    const TimePoint due = system_clock().now() + span;
    loop->start_timer(due, [&] {
      EXPECT_GE(system_clock().now(), due);
      EXPECT_GE(loop->now(), due);
      loop->stop();
    });
    loop->run();
  }
}

TEST_P(LoopTest, TimerCancelledByAnEarlierOneOfTheSameTurnDoesNotFire) {
  bool fired = false;
  const TimePoint due = loop->now() + 1ms;
  TimerId victim = TimerId::kNone;
  loop->start_timer(due, [&] { EXPECT_TRUE(loop->cancel_timer(victim)); });
  victim = loop->start_timer(due, [&] { fired = true; });
  run_for(5ms);
  EXPECT_FALSE(fired);
}

TEST_P(LoopTest, TimerThatRestartsItselfInThePastDoesNotBlockTheLoop) {
  int fired = 0;
  std::function<void()> again = [&] {
    ++fired;
    loop->start_timer(loop->now() - 1s, [&] { again(); });
  };
  again();
  loop->start_timer(loop->now() + 2ms, [&] { loop->stop(); });
  loop->run();
  EXPECT_GT(fired, 1);
}

TEST_P(LoopTest, DeferredRunInTheSameTurnInOrder) {
  std::string order;
  loop->start_timer(loop->now(), [&] {
    loop->defer([&] {
      order += 'b';
      loop->defer([&] { order += 'd'; });
    });
    loop->defer([&] { order += 'c'; });
    loop->stop();
    order += 'a';
  });
  loop->run();
  EXPECT_EQ(order, "abcd");
}

TEST_P(LoopTest, DestroyedNodeIsNotRun) {
  struct Node : ReadyNode {
    explicit Node(int& count)
        : ReadyNode([](ReadyNode& n) { ++static_cast<Node&>(n).runs; }), runs(count) {}
    int& runs;
  };
  int runs = 0;
  Node kept(runs);
  {
    Node gone(runs);
    loop->defer(gone);
    loop->defer(kept);
    loop->defer(kept);  // already there
  }
  run_for(0us);
  EXPECT_EQ(runs, 1);
}

TEST_P(LoopTest, PostsOfEachThreadRunInItsOrder) {
  constexpr int kThreads = 4;
  constexpr int kPosts = kIsSanitized ? 2000 : 20000;
  std::array<int, kThreads> next{};
  int total = 0;
  bool in_order = true;
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kPosts; ++i) {
        loop->post([&, t, i] {
          in_order = in_order && next[t]++ == i && loop->in_thread();
          if (++total == kThreads * kPosts) {
            loop->stop();
          }
        });
      }
    });
  }
  loop->run();
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_TRUE(in_order);
  EXPECT_EQ(total, kThreads * kPosts);
}

TEST_P(LoopTest, PostWakesASleepingLoopAtOnce) {
  std::thread other;
  for (int i = 0; i < 20; ++i) {
    std::atomic<bool> sleeps{false};
    loop->post([&] { sleeps = true; });
    std::thread waker([&] {
      while (!sleeps) {
        std::this_thread::yield();
      }
      loop->post([&] { loop->stop(); });
    });
    loop->run();  // no timer: only the post can end it
    waker.join();
  }
}

TEST_P(LoopTest, IdleLoopSleepsInsteadOfSpinning) {
  const auto pair = connected_pair(Transport::kUnix);
  auto quiet = loop->adopt(pair[0]);
  Recorder recorder;
  quiet->set_handler(&recorder);
  Duration used{};
  std::thread idler([&] {
    loop->run();
    rusage usage{};
    ::getrusage(RUSAGE_THREAD, &usage);
    used = std::chrono::microseconds(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec)
           + std::chrono::seconds(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec);
  });
  const auto alarm = *Loop::create();
  alarm->start_timer(alarm->now() + 100ms, [&] { alarm->stop(); });
  alarm->run();
  loop->stop();
  idler.join();
  EXPECT_LT(used, 20ms);
  ::close(pair[1]);
}

TEST_P(LoopTest, FunctionsThatDidNotRunAreDestroyedWithTheLoop) {
  const auto token = std::make_shared<int>(1);
  loop->post([token] {});
  loop->defer([token] {});
  loop->start_timer(loop->now() + 1h, [token] {});
  loop->connect({"127.0.0.1", 1}, Deadline::never(), [token](auto) { FAIL(); });
  EXPECT_EQ(token.use_count(), 5);
  loop.reset();
  EXPECT_EQ(token.use_count(), 1);
}

TEST_P(LoopTest, LoopMadeHereRunsInAnotherThreadAndMayBeDestroyedAfterIt) {
  auto [a, b] = make_streams();
  Recorder recorder;
  b->set_handler(&recorder);
  recorder.when_bytes = [&](const Slice&) { loop->stop(); };
  a->send_copy("hello");
  std::thread runner([&] { loop->run(); });
  runner.join();
  EXPECT_EQ(recorder.text, "hello");
}

TEST_P(LoopTest, AcceptedSocketsGoToOtherThreadsLoops) {
  LoopOptions options;
  options.engine = GetParam().engine;
  const auto worker = *Loop::create(options);
  std::vector<std::unique_ptr<Stream>> served;  // the worker's
  Recorder echo;
  std::thread runner([&] { worker->run(); });
  auto listener = loop->listen({"127.0.0.1", 0}, [&](int fd) {
    worker->post([&, fd] {
      served.push_back(worker->adopt(fd));
      echo.when_bytes = [&](Slice bytes) { served.back()->send(std::move(bytes)); };
      served.back()->set_handler(&echo);
    });
  });
  ASSERT_TRUE(listener) << to_string(listener.error());
  std::unique_ptr<Stream> client;
  Recorder recorder;
  loop->connect((*listener)->address(), Deadline::after(system_clock(), 5s), [&](auto stream) {
    ASSERT_TRUE(stream);
    client = *std::move(stream);
    client->set_handler(&recorder);
    client->send_copy("round trip");
  });
  EXPECT_TRUE(run_until([&] { return recorder.received == 10; }));
  worker->post([&] {
    served.clear();
    worker->stop();
  });
  runner.join();
  EXPECT_TRUE(run_until([&] { return recorder.error.has_value(); }));
}

TEST(Loop, OptionsOutOfRangeAreAnError) {
  for (const std::size_t count :
       {std::size_t{0}, std::size_t{4}, std::size_t{100}, std::size_t{65536}}) {
    LoopOptions options;
    options.receive_buffers = count;
    const auto loop = Loop::create(options);
    ASSERT_FALSE(loop);
    EXPECT_EQ(loop.error().code, ErrorCode::kInvalidParameterValue);
  }
}

TEST(Loop, AutoChoosesAnEngineThatWorks) {
  const auto loop = Loop::create();
  ASSERT_TRUE(loop);
  EXPECT_NE((*loop)->engine(), EngineKind::kAuto);
}

}  // namespace
}  // namespace sherd::net
