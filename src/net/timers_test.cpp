#include "timers.hpp"

#include <map>
#include <random>

#include <gtest/gtest.h>

namespace sherd::net {
namespace {

TimePoint at(std::int64_t nanoseconds) {
  return TimePoint(Duration(nanoseconds));
}

TEST(TimerHeap, BehavesAsAnOrderedListUnderRandomStartsAndCancels) {
  std::mt19937 random(7);
  TimerHeap heap;
  std::map<std::pair<std::int64_t, int>, TimerId> model;  // by time, then order of start
  std::vector<int> fired;
  int started = 0;
  std::int64_t now = 0;
  for (int step = 0; step < 50000; ++step) {
    const unsigned choice = random() % 10;
    if (choice < 5) {
      const std::int64_t time = now + static_cast<std::int64_t>(random() % 100);
      const int number = started++;
      model[{time, number}] = heap.start(at(time), [&fired, number] { fired.push_back(number); });
    } else if (choice < 8 && !model.empty()) {
      auto victim = model.begin();
      std::advance(victim, random() % model.size());
      ASSERT_TRUE(heap.cancel(victim->second));
      ASSERT_FALSE(heap.cancel(victim->second));
      model.erase(victim);
    } else {
      now += static_cast<std::int64_t>(random() % 30);
      std::vector<int> expected;
      while (!model.empty() && model.begin()->first.first <= now) {
        expected.push_back(model.begin()->first.second);
        model.erase(model.begin());
      }
      fired.clear();
      while (auto function = heap.take_due(at(now), heap.next_number())) {
        (*function)();
      }
      ASSERT_EQ(fired, expected);
    }
    ASSERT_EQ(heap.size(), model.size());
    ASSERT_EQ(heap.next(), model.empty() ? TimePoint::max() : at(model.begin()->first.first));
  }
}

TEST(TimerHeap, IdOfAFiredTimerDoesNotCancelItsSuccessor) {
  TimerHeap heap;
  const TimerId first = heap.start(at(1), [] {});
  ASSERT_TRUE(heap.take_due(at(1), 1));
  const TimerId second = heap.start(at(2), [] {});
  EXPECT_NE(first, second);
  EXPECT_FALSE(heap.cancel(first));
  EXPECT_TRUE(heap.cancel(second));
  EXPECT_FALSE(heap.cancel(TimerId::kNone));
}

}  // namespace
}  // namespace sherd::net
