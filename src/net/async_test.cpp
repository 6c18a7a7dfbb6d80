#include <random>
#include <stdexcept>

#include <sherd/net/async.hpp>

#include "engine_fixture.hpp"

namespace sherd::net {
namespace {

class AsyncTest : public EngineTest {};
INSTANTIATE_TEST_SUITE_P(
    Engines, AsyncTest,
    testing::Values(
        Setting{EngineKind::kUring, Transport::kUnix}, Setting{EngineKind::kEpoll, Transport::kUnix}
    ),
    name_of
);

/// Counts how many are alive.
struct Token {
  explicit Token(int& count) : alive(&count) { ++*alive; }
  Token(const Token& other) : alive(other.alive) { ++*alive; }
  Token& operator=(const Token&) = delete;
  ~Token() { --*alive; }
  int* alive;
};

Task<int> number(int value) {
  co_return value;
}
Task<int> sum_of_chain(int length) {
  int sum = 0;
  for (int i = 0; i < length; ++i) {
    sum += co_await number(1);
  }
  co_return sum;
}
Task<int> deep(int levels) {
  if (levels == 0) {
    co_return 0;
  }
  const int below = co_await deep(levels - 1);
  co_return below + 1;
}
Task<void> throws(std::string text) {
  throw std::runtime_error(text);
  co_return;
}
Task<int> slow_number(Loop& loop, int value, Duration span) {
  co_await sleep_until(loop, loop.now() + span);
  co_return value;
}
Task<int> slow_throw(Loop& loop) {
  co_await sleep_until(loop, loop.now() + 1ms);
  throw std::runtime_error("slow");
}

TEST_P(AsyncTest, TaskStartsOnlyWhenAwaited) {
  int alive = 0;
  {
    const auto body = [](Token token) -> Task<void> {
      ADD_FAILURE();
      (void)token;
      co_return;
    };
    const Task<void> task = body(Token(alive));
    EXPECT_EQ(alive, 1);
  }
  EXPECT_EQ(alive, 0);
}

TEST_P(AsyncTest, LongChainsNeedNoStack) {
  EXPECT_EQ(blocking_run(*loop, sum_of_chain(1'000'000)), 1'000'000);
}

TEST_P(AsyncTest, DeepChainsReturnThroughEveryLevel) {
  EXPECT_EQ(blocking_run(*loop, deep(1000)), 1000);
}

TEST_P(AsyncTest, ExceptionComesOutOfTheAwait) {
  EXPECT_THROW(blocking_run(*loop, throws("boom")), std::runtime_error);
}

TEST_P(AsyncTest, SleepLastsUntilItsTime) {
  const TimePoint before = system_clock().now();
  EXPECT_EQ(blocking_run(*loop, slow_number(*loop, 5, 3ms)), 5);
  EXPECT_GE(system_clock().now() - before, 3ms - 1ms);  // counted from the loop's time
}

Task<std::string> await_value(OneShot<std::string>* shot) {
  auto value = co_await shot->wait();
  co_return value;
}

TEST_P(AsyncTest, OneShotSetBeforeTheAwaitIsThere) {
  OneShot<std::string> shot(*loop);
  shot.set("early");
  shot.set("second is dropped");
  EXPECT_EQ(blocking_run(*loop, await_value(&shot)), "early");
}

TEST_P(AsyncTest, OneShotSetLaterWakesItsWaiter) {
  OneShot<std::string> shot(*loop);
  loop->start_timer(loop->now() + 1ms, [&] { shot.set("late"); });
  EXPECT_EQ(blocking_run(*loop, await_value(&shot)), "late");
}

Task<Result<int>> await_until(OneShot<int>* shot, Deadline deadline) {
  auto value = co_await shot->wait_until(deadline);
  co_return value;
}

TEST_P(AsyncTest, OneShotNotSetInTimeIsTimeout) {
  OneShot<int> shot(*loop);
  const auto value = blocking_run(*loop, await_until(&shot, Deadline::after(system_clock(), 1ms)));
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().code, ErrorCode::kTimeout);
  shot.set(7);  // too late, but harmless
  EXPECT_EQ(blocking_run(*loop, await_until(&shot, Deadline::never())), 7);
}

TEST_P(AsyncTest, OneShotSetInTheTurnOfItsDeadlineIsGiven) {
  OneShot<int> shot(*loop);
  const TimePoint due = loop->now() + 1ms;
  loop->start_timer(due, [&] { shot.set(1); });
  EXPECT_EQ(blocking_run(*loop, await_until(&shot, Deadline(due))), 1);
}

TEST_P(AsyncTest, SetterOutlivesItsOneShot) {
  std::optional<OneShot<int>> shot(std::in_place, *loop);
  auto setter = shot->setter();
  setter.set(1);
  EXPECT_TRUE(shot->is_set());
  shot.reset();
  setter.set(2);
}

Task<Result<int>> await_result(OneShot<Result<int>>* shot) {
  auto value = co_await shot->wait_until(Deadline::never());
  co_return value;
}

TEST_P(AsyncTest, OneShotOfAResultGivesAPlainResult) {
  OneShot<Result<int>> shot(*loop);
  shot.set(fail(ErrorCode::kIo, "broken"));
  const auto value = blocking_run(*loop, await_result(&shot));
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().code, ErrorCode::kIo);
}

// ---- when_all

TEST_P(AsyncTest, WhenAllGivesValuesInTheOrderOfTheTasks) {
  std::vector<Task<int>> tasks;
  for (int i = 0; i < 20; ++i) {
    tasks.push_back(i % 3 == 0 ? number(i) : slow_number(*loop, i, (20 - i) * 100us));
  }
  const auto values = blocking_run(*loop, when_all(std::move(tasks)));
  ASSERT_EQ(values.size(), 20U);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(values[static_cast<std::size_t>(i)], i);
  }
}

TEST_P(AsyncTest, WhenAllOfNothingAndOfFinishedEndsAtOnce) {
  EXPECT_TRUE(blocking_run(*loop, when_all(std::vector<Task<int>>())).empty());
  std::vector<Task<int>> tasks;
  tasks.push_back(number(3));
  EXPECT_EQ(blocking_run(*loop, when_all(std::move(tasks))), std::vector{3});
}

TEST_P(AsyncTest, WhenAllWaitsForAllBeforeItThrows) {
  bool is_done = false;
  const auto finish = [](Loop& in, bool* done) -> Task<int> {
    co_await sleep_until(in, in.now() + 3ms);
    *done = true;
    co_return 1;
  };
  std::vector<Task<int>> tasks;
  tasks.push_back(slow_throw(*loop));
  tasks.push_back(finish(*loop, &is_done));
  EXPECT_THROW(blocking_run(*loop, when_all(std::move(tasks))), std::runtime_error);
  EXPECT_TRUE(is_done);
}

// ---- Semaphore

Task<void> use_permit(
    Loop& loop, Semaphore* semaphore, int number, std::string* trace, int* inside
) {
  auto permit = co_await semaphore->acquire();
  EXPECT_TRUE(permit);
  EXPECT_LE(++*inside, 2);
  *trace += static_cast<char>('a' + number);
  co_await sleep_until(loop, loop.now() + 200us);
  --*inside;
}

Task<void> join_group(TaskGroup* group) {
  co_await group->join();
}

TEST_P(AsyncTest, SemaphoreLetsInAsManyAsItHasPermitsInOrder) {
  Semaphore semaphore(*loop, 2);
  TaskGroup group(*loop);
  std::string trace;
  int inside = 0;
  for (int i = 0; i < 10; ++i) {
    group.spawn(use_permit(*loop, &semaphore, i, &trace, &inside));
  }
  blocking_run(*loop, join_group(&group));
  EXPECT_EQ(trace, "abcdefghij");
  EXPECT_EQ(semaphore.available(), 2U);
}

Task<bool> acquire_within(Semaphore* semaphore, Deadline deadline) {
  const auto permit = co_await semaphore->acquire(deadline);
  co_return permit.has_value();
}

TEST_P(AsyncTest, SemaphoreThatStaysTakenIsTimeout) {
  AsyncMutex mutex(*loop);
  auto held = mutex.try_acquire();
  ASSERT_TRUE(held);
  EXPECT_FALSE(mutex.try_acquire());
  const Deadline soon = Deadline::after(system_clock(), 1ms);
  EXPECT_FALSE(blocking_run(*loop, acquire_within(&mutex, soon)));
  held.reset();
  EXPECT_TRUE(blocking_run(*loop, acquire_within(&mutex, Deadline::never())));
  EXPECT_EQ(mutex.available(), 1U);
}

/// Tasks that wait, work, time out and are cancelled at random: no permit may be lost or doubled.
TEST_P(AsyncTest, SemaphoreKeepsItsPermitsUnderRandomCancels) {
  std::mt19937 random(99);
  Semaphore semaphore(*loop, 3);
  const auto work = [](Loop& in, Semaphore* from, Duration wait, Duration hold,
                       int* inside) -> Task<void> {
    const auto permit = co_await from->acquire(Deadline(in.now() + wait));
    if (permit) {
      EXPECT_LE(++*inside, 3);
      const auto leave = [](int* count) { --*count; };
      const std::unique_ptr<int, decltype(leave)> guard(inside, leave);
      co_await sleep_until(in, in.now() + hold);
    }
  };
  int inside = 0;
  for (int round = 0; round < 100; ++round) {
    TaskGroup group(*loop);
    for (int i = 0; i < 12; ++i) {
      group.spawn(work(
          *loop, &semaphore, std::chrono::microseconds(random() % 300),
          std::chrono::microseconds(random() % 200), &inside
      ));
    }
    if (round % 2 == 0) {
      run_for(std::chrono::microseconds(random() % 300));
      group.cancel();
    }
    blocking_run(*loop, join_group(&group));
    ASSERT_EQ(inside, 0);
    ASSERT_EQ(semaphore.available(), 3U);
  }
}

// ---- TaskGroup

Task<void> hold_until_never(Loop& loop, Token token) {
  co_await sleep_until(loop, loop.now() + 1h);
  (void)token;
}
Task<void> nest(Loop& loop, int depth, Token token) {
  if (depth == 0) {
    co_await hold_until_never(loop, token);
  } else {
    co_await nest(loop, depth - 1, token);
  }
}

TEST_P(AsyncTest, CancelDestroysWhatWaitsAtAnyDepth) {
  int alive = 0;
  TaskGroup group(*loop);
  for (int i = 0; i < 5; ++i) {
    group.spawn(nest(*loop, i, Token(alive)));
  }
  run_for(1ms);
  EXPECT_GT(alive, 5);
  EXPECT_EQ(group.size(), 5U);
  group.cancel();
  EXPECT_EQ(group.size(), 5U);
  blocking_run(*loop, join_group(&group));
  EXPECT_EQ(alive, 0);
}

TEST_P(AsyncTest, CancelBeforeTheStartDestroysWithoutRunning) {
  int alive = 0;
  TaskGroup group(*loop);
  group.cancel();
  group.spawn(hold_until_never(*loop, Token(alive)));
  blocking_run(*loop, join_group(&group));
  EXPECT_EQ(alive, 0);
}

Task<void> cancel_from_inside(Loop& loop, TaskGroup* group, bool* went_on) {
  group->cancel();
  co_await sleep_until(loop, loop.now());
  *went_on = true;
}

TEST_P(AsyncTest, TaskMayCancelItsOwnGroup) {
  TaskGroup group(*loop);
  bool went_on = false;
  group.spawn(cancel_from_inside(*loop, &group, &went_on));
  blocking_run(*loop, join_group(&group));
  EXPECT_FALSE(went_on);
}

Task<int> cancelled_fan_out(Loop& loop, Token token) {
  std::vector<Task<int>> tasks;
  for (int i = 0; i < 3; ++i) {
    tasks.push_back(slow_number(loop, i, 1h));
  }
  const auto values = co_await when_all(std::move(tasks));
  (void)token;
  co_return static_cast<int>(values.size());
}
template <class T>
Task<void> drop_value(Task<T> task) {
  (void)co_await std::move(task);
}

TEST_P(AsyncTest, CancelReachesThroughWhenAll) {
  int alive = 0;
  TaskGroup group(*loop);
  group.spawn(drop_value(cancelled_fan_out(*loop, Token(alive))));
  run_for(1ms);
  group.cancel();
  blocking_run(*loop, join_group(&group));
  EXPECT_EQ(alive, 0);
}

TEST_P(AsyncTest, JoinThrowsWhatATaskThrewAfterAllHaveEnded) {
  int alive = 0;
  TaskGroup group(*loop);
  group.spawn(throws("first"));
  group.spawn([](Loop& in, Token token) -> Task<void> {
    co_await sleep_until(in, in.now() + 2ms);
    (void)token;
  }(*loop, Token(alive)));
  EXPECT_THROW(blocking_run(*loop, join_group(&group)), std::runtime_error);
  EXPECT_EQ(alive, 0);
  blocking_run(*loop, join_group(&group));  // thrown once
}

Task<void> yield_times(Loop& loop, int times, char name, std::string* trace) {
  for (int i = 0; i < times; ++i) {
    *trace += name;
    co_await yield_turn(loop);
  }
}

TEST_P(AsyncTest, YieldLetsOthersGoInTurn) {
  TaskGroup group(*loop);
  std::string trace;
  group.spawn(yield_times(*loop, 3, 'a', &trace));
  group.spawn(yield_times(*loop, 3, 'b', &trace));
  blocking_run(*loop, join_group(&group));
  EXPECT_EQ(trace, "ababab");
}

TEST_P(AsyncTest, TaskThatYieldsForEverDoesNotStarveTimers) {
  TaskGroup group(*loop);
  std::string trace;
  group.spawn(yield_times(*loop, 100'000'000, 'a', &trace));
  run_for(2ms);
  group.cancel();
  blocking_run(*loop, join_group(&group));
  EXPECT_LT(trace.size(), 100'000'000U);
}

// ---- connect

Task<Result<std::size_t>> connect_and_count(Loop& loop, Address address, Deadline deadline) {
  SHERD_CO_TRY(const auto stream, co_await connect(loop, address, deadline));
  OneShot<> closed(loop);
  Recorder recorder;
  recorder.when_closed = [&] { closed.set(); };
  stream->set_handler(&recorder);
  SHERD_CO_TRY_VOID(co_await closed.wait_until(deadline));
  co_return recorder.received;
}

TEST_P(AsyncTest, ConnectAsATaskGivesAStream) {
  std::unique_ptr<Stream> served;
  const auto listener = *loop->listen({"127.0.0.1", 0}, [&](int fd) {
    served = loop->adopt(fd);
    served->send(Slice::adopt(pattern(0, 300'000)));
    served->close_after_send(Deadline::after(system_clock(), 5s));
  });
  const Deadline deadline = Deadline::after(system_clock(), 20s);
  const auto count = blocking_run(*loop, connect_and_count(*loop, listener->address(), deadline));
  ASSERT_TRUE(count) << to_string(count.error());
  EXPECT_EQ(*count, 300'000U);
}

TEST_P(AsyncTest, CancelledConnectLeavesNothing) {
  const auto listener = *loop->listen({"127.0.0.1", 0}, [](int fd) { ::close(fd); });
  TaskGroup group(*loop);
  for (int i = 0; i < 30; ++i) {
    group.spawn(drop_value(connect_and_count(*loop, listener->address(), Deadline::never())));
    run_for(std::chrono::microseconds(i * 10));
    group.cancel();
    blocking_run(*loop, join_group(&group));
  }
  run_for(2ms);
}

}  // namespace
}  // namespace sherd::net
