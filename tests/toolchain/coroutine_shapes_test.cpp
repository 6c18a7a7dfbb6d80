// Shapes of co_await that compilers have got wrong: temporaries destroyed twice, too early or
// never, and values lost on the way. Each counts constructions and destructions.

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <sherd/base/error.hpp>
#include <sherd/net/task.hpp>

namespace sherd::net {
namespace {

/// Counts its living copies and notices when it is used after its end, or destroyed twice.
class Probe {
 public:
  explicit Probe(int& alive) : alive_(&alive), self_(this) { ++*alive_; }
  Probe(const Probe& other) : alive_(other.alive_), self_(this) {
    other.check();
    ++*alive_;
  }
  Probe(Probe&& other) noexcept : alive_(other.alive_), self_(this) {
    other.check();
    ++*alive_;
  }
  Probe& operator=(const Probe&) = delete;
  Probe& operator=(Probe&&) = delete;
  ~Probe() {
    check();
    self_ = nullptr;
    --*alive_;
  }
  void check() const { EXPECT_EQ(self_, this) << "a bitwise copy, or a dead object"; }

 private:
  int* alive_;
  const Probe* self_;
};

struct Options {
  std::string name;
  std::vector<int> numbers;
  Probe probe;
};

/// Runs a task that never waits for anything from outside.
template <class T>
T run(Task<T> task) {
  std::optional<T> value;
  std::exception_ptr failure;
  struct Root {
    struct promise_type {
      Root get_return_object() { return {}; }
      std::suspend_never initial_suspend() { return {}; }
      std::suspend_never final_suspend() noexcept { return {}; }
      void return_void() {}
      void unhandled_exception() { std::terminate(); }
    };
  };
  const auto root = [](Task<T> body, std::optional<T>* out, std::exception_ptr* error) -> Root {
    try {
      out->emplace(co_await std::move(body));
    } catch (...) {
      *error = std::current_exception();
    }
  };
  root(std::move(task), &value, &failure);
  if (failure) {
    std::rethrow_exception(failure);
  }
  return std::move(*value);
}

Task<bool> answer(bool value) {
  co_return value;
}
Task<int> sum(Options options) {
  options.probe.check();
  int total = static_cast<int>(options.name.size());
  for (const int number : options.numbers) {
    total += number;
  }
  co_return total;
}
Task<std::string> text_of(std::string text, Probe probe) {
  probe.check();
  co_return text;
}
Task<Result<std::unique_ptr<std::string>>> make(bool is_good) {
  if (!is_good) {
    co_return fail(ErrorCode::kIo, "a message that is longer than the small string buffer");
  }
  co_return std::make_unique<std::string>("a value that is longer than the small string buffer");
}

Task<int> await_in_conditions() {
  int passed = 0;
  if (co_await answer(true)) {
    ++passed;
  }
  if (const bool value = co_await answer(true); value && !co_await answer(false)) {
    ++passed;
  }
  while (!co_await answer(passed > 3)) {
    ++passed;
  }
  passed += co_await answer(true) ? 10 : 20;
  co_return passed;
}

TEST(Toolchain, AwaitInAConditionIsItsValue) {
  EXPECT_EQ(run(await_in_conditions()), 14);
}

Task<int> braced(int* alive) {
  const int first = co_await sum({.name = "abc", .numbers = {1, 2, 3}, .probe = Probe(*alive)});
  const int second =
      co_await sum(Options{std::string(100, 'x'), std::vector<int>(1000, 1), Probe(*alive)});
  co_return first + second;
}

TEST(Toolchain, BracedTemporariesAreDestroyedOnce) {
  int alive = 0;
  EXPECT_EQ(run(braced(&alive)), 9 + 1100);
  EXPECT_EQ(alive, 0);
}

Task<std::size_t> nested(int* alive) {
  const std::string both = co_await text_of("a long text that needs the heap: ", Probe(*alive))
                           + co_await text_of(std::string(50, 'y'), Probe(*alive));
  const std::string inner = co_await text_of(co_await text_of(both, Probe(*alive)), Probe(*alive));
  co_return inner.size();
}

TEST(Toolchain, TemporariesOfSeveralAwaitsInOneExpressionLive) {
  int alive = 0;
  EXPECT_EQ(run(nested(&alive)), 33U + 50U);
  EXPECT_EQ(alive, 0);
}

Task<int> captures(int* alive) {
  const Probe captured(*alive);
  const auto call = [captured](auto&& function) { return function(captured); };
  const int value = co_await call([text = std::string(64, 'z')](Probe probe) {
    return sum({.name = text, .numbers = {}, .probe = std::move(probe)});
  });
  co_return value;
}

TEST(Toolchain, CapturingTemporariesOfTheAwaitedCallAreDestroyedOnce) {
  int alive = 0;
  EXPECT_EQ(run(captures(&alive)), 64);
  EXPECT_EQ(alive, 0);
}

Task<Result<std::string>> propagate(bool is_good) {
  SHERD_CO_TRY(auto value, co_await make(is_good));
  auto moved = std::move(value);
  co_return std::move(*moved);
}
Task<Result<std::string>> hand_on(bool is_good) {
  auto result = co_await propagate(is_good);
  co_return result;
}

TEST(Toolchain, MovedResultsKeepValueAndError) {
  const auto good = run(hand_on(true));
  ASSERT_TRUE(good);
  EXPECT_EQ(*good, "a value that is longer than the small string buffer");
  const auto bad = run(hand_on(false));
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().message, "a message that is longer than the small string buffer");
}

Task<int> throws(Probe probe) {
  probe.check();
  throw std::runtime_error("from below");
  co_return 0;
}
Task<int> catches(int* alive) {
  const Probe local(*alive);
  int caught = 0;
  try {
    co_await throws(Probe(*alive));
  } catch (const std::runtime_error&) {
    ++caught;
  }
  caught += *alive == 1 ? 1 : 0;
  const int after = co_await sum({.name = "x", .numbers = {}, .probe = Probe(*alive)});
  co_return caught + after;
}

TEST(Toolchain, ExceptionsUnwindOnlyWhatTheyPass) {
  int alive = 0;
  EXPECT_EQ(run(catches(&alive)), 3);
  EXPECT_EQ(alive, 0);
}

Task<int> one() {
  co_return 1;
}
Task<int> long_chain() {
  int total = 0;
  for (int i = 0; i < 1'000'000; ++i) {
    total += co_await one();
  }
  co_return total;
}

TEST(Toolchain, SymmetricTransferNeedsNoStack) {
  EXPECT_EQ(run(long_chain()), 1'000'000);
}

Task<int> structured(std::pair<int, std::unique_ptr<int>> from) {
  auto [left, right] = std::move(from);
  const int added = co_await answer(true) ? left + *right : 0;
  co_return added;
}

TEST(Toolchain, StructuredBindingsSurviveAnAwait) {
  EXPECT_EQ(run(structured({1, std::make_unique<int>(2)})), 3);
}

TEST(Toolchain, TaskThatIsNeverAwaitedDestroysItsParameters) {
  int alive = 0;
  {
    const auto task = text_of("unused", Probe(alive));
    EXPECT_GE(alive, 1);
  }
  EXPECT_EQ(alive, 0);
}

}  // namespace
}  // namespace sherd::net
