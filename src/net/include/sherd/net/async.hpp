#pragma once

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <sherd/base/check.hpp>
#include <sherd/base/clock.hpp>
#include <sherd/base/error.hpp>
#include <sherd/net/loop.hpp>
#include <sherd/net/task.hpp>

/// What coroutines of one Loop wait for. Nothing here is thread-safe; wake a loop with post(). A
/// waiter is resumed at the end of a wake-up, never from inside the call that woke it.
namespace sherd::net {

/// A suspended coroutine that the loop can resume; part of an awaiter, and so of the frame.
class Waiter : public ReadyNode {
 public:
  Waiter() noexcept : ReadyNode(&resume) {}
  void park(std::coroutine_handle<> handle) noexcept { handle_ = handle; }

 private:
  static void resume(ReadyNode& node) { static_cast<Waiter&>(node).handle_.resume(); }
  std::coroutine_handle<> handle_;
};

/// Resumes the awaiting coroutine at or after `at`. Destroying the task cancels the timer.
[[nodiscard]] Task<void> sleep_until(Loop& loop, TimePoint at);
/// Lets all else that is ready in this wake-up go first.
[[nodiscard]] Task<void> yield_turn(Loop& loop);
/// Loop::connect as a task.
[[nodiscard]] Task<Result<std::unique_ptr<Stream>>> connect(
    Loop& loop, Address address, Deadline deadline
);

namespace detail {

template <class T>
struct ResultOf {
  using type = Result<T>;
};
template <class T>
struct ResultOf<Result<T>> {
  using type = Result<T>;
};

}  // namespace detail

/// A value that a callback sets once and one coroutine awaits, in either order.
/// Callbacks that may come after the OneShot is gone hold its Setter, which then does nothing.
template <class T = void>
class OneShot {
  using Stored = std::conditional_t<std::is_void_v<T>, std::monostate, T>;
  struct Await;
  struct State {
    Loop& loop;
    std::optional<Stored> value{};
    Await* waiter = nullptr;
  };

 public:
  class Setter {
   public:
    /// As OneShot::set; nothing when the OneShot is gone.
    void set(Stored value = Stored{}) {
      if (const auto state = state_.lock()) {
        OneShot::set_in(*state, std::move(value));
      }
    }

   private:
    friend class OneShot;
    explicit Setter(std::weak_ptr<State> state) noexcept : state_(std::move(state)) {}
    std::weak_ptr<State> state_;
  };

  explicit OneShot(Loop& loop) : state_(std::make_shared<State>(loop)) {}
  OneShot(const OneShot&) = delete;
  OneShot& operator=(const OneShot&) = delete;

  /// The first value stays; later ones are dropped.
  void set(Stored value = Stored{}) { set_in(*state_, std::move(value)); }
  [[nodiscard]] bool is_set() const noexcept { return state_->value.has_value(); }
  [[nodiscard]] Setter setter() const noexcept { return Setter(state_); }

  /// The value, once set. One coroutine, once. The OneShot must outlive the task.
  [[nodiscard]] Task<T> wait() { return wait_on(state_.get()); }
  /// The value, or kTimeout when `deadline` passes first (a OneShot of a Result gives a plain
  /// Result).
  [[nodiscard]] Task<typename detail::ResultOf<T>::type> wait_until(Deadline deadline) {
    return wait_on_until(state_.get(), deadline);
  }

 private:
  struct Await : Waiter {
    State& state;
    TimePoint until;
    TimerId timer = TimerId::kNone;

    Await(State& of, TimePoint at) noexcept : state(of), until(at) {}
    ~Await() {
      state.loop.cancel_timer(timer);
      if (state.waiter == this) {
        state.waiter = nullptr;
      }
    }
    [[nodiscard]] bool await_ready() const noexcept { return state.value.has_value(); }
    void await_suspend(std::coroutine_handle<> handle) {
      SHERD_CHECK(state.waiter == nullptr);
      state.waiter = this;
      this->park(handle);
      if (until != TimePoint::max()) {
        timer = state.loop.start_timer(until, [this] { state.loop.defer(*this); });
      }
    }
    [[nodiscard]] bool await_resume() const noexcept { return state.value.has_value(); }
  };

  static void set_in(State& state, Stored value) {
    if (state.value) {
      return;
    }
    state.value.emplace(std::move(value));
    if (state.waiter != nullptr) {
      state.loop.defer(*state.waiter);
    }
  }
  static Task<T> wait_on(State* state) {
    const bool is_set = co_await Await(*state, TimePoint::max());
    SHERD_CHECK(is_set);
    if constexpr (!std::is_void_v<T>) {
      co_return std::move(*state->value);
    }
  }
  static Task<typename detail::ResultOf<T>::type> wait_on_until(State* state, Deadline deadline) {
    const bool is_set = co_await Await(*state, deadline.at());
    if (!is_set) {
      co_return fail(ErrorCode::kTimeout, "the time allowed for waiting has passed");
    }
    if constexpr (std::is_void_v<T>) {
      co_return Result<void>();
    } else {
      co_return std::move(*state->value);
    }
  }

  std::shared_ptr<State> state_;
};

/// A number of permits, handed out first come, first served. Must outlive its permits and waiters.
class Semaphore {
 public:
  /// Gives its permit back when destroyed.
  class Permit {
   public:
    Permit(Permit&& other) noexcept : from_(std::exchange(other.from_, nullptr)) {}
    Permit& operator=(Permit&& other) noexcept {
      if (this != &other) {
        release();
        from_ = std::exchange(other.from_, nullptr);
      }
      return *this;
    }
    ~Permit() { release(); }
    void release() noexcept {
      if (Semaphore* from = std::exchange(from_, nullptr)) {
        from->give_back();
      }
    }

   private:
    friend class Semaphore;
    explicit Permit(Semaphore& from) noexcept : from_(&from) {}
    Semaphore* from_;
  };

  Semaphore(Loop& loop, std::size_t permits) noexcept : loop_(loop), available_(permits) {}
  ~Semaphore() { SHERD_CHECK(queue_.empty()); }
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  /// A permit, or kTimeout. Destroying the task while it waits leaves the queue.
  [[nodiscard]] Task<Result<Permit>> acquire(Deadline deadline = Deadline::never());
  /// A permit if one is free and nobody waits.
  [[nodiscard]] std::optional<Permit> try_acquire() noexcept;
  [[nodiscard]] std::size_t available() const noexcept { return available_; }

 private:
  struct Await;
  [[nodiscard]] bool take() noexcept;
  void give_back() noexcept;

  Loop& loop_;
  std::size_t available_;
  ReadyList queue_;  // of Await
};

/// `auto lock = co_await mutex.acquire();`
class AsyncMutex : public Semaphore {
 public:
  explicit AsyncMutex(Loop& loop) noexcept : Semaphore(loop, 1) {}
};

/// Tasks that live no longer than the group: whoever makes the group joins it.
class TaskGroup {
 public:
  explicit TaskGroup(Loop& loop) noexcept : loop_(loop), cancel_(*this) {}
  /// REQUIRES size() == 0: join() first (after cancel(), if need be).
  ~TaskGroup() { SHERD_CHECK(size_ == 0); }
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  /// Starts `task` at the end of this wake-up.
  void spawn(Task<void> task);
  /// Waits until no task is left, then throws the first exception that one of them ended with.
  /// One coroutine at a time; not a task of the group.
  [[nodiscard]] Task<void> join();
  /// Destroys the tasks' frames where they wait, at the end of this wake-up; what they hold is
  /// released by its destructors. May be called from one of them.
  void cancel() noexcept { loop_.defer(cancel_); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  struct Root;
  struct JoinAwait;
  struct CancelNode : ReadyNode {
    explicit CancelNode(TaskGroup& of) noexcept : ReadyNode(&run), group(of) {}
    static void run(ReadyNode& node) { static_cast<CancelNode&>(node).group.destroy_all(); }
    TaskGroup& group;
  };
  static Root run_root(TaskGroup* group, Task<void> task);
  void finished(std::exception_ptr failure) noexcept;
  void destroy_all() noexcept;

  Loop& loop_;
  CancelNode cancel_;
  ReadyList roots_;  // of Root's promises
  std::size_t size_ = 0;
  Waiter* joiner_ = nullptr;
  std::exception_ptr failure_;
};

namespace detail {

struct Countdown {
  std::size_t left;
  std::coroutine_handle<> parent = std::noop_coroutine();
};

/// Ends a part of when_all: the last one resumes the parent; the part itself stays suspended.
struct Arrive {
  Countdown& countdown;
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<>) const noexcept {
    return --countdown.left == 0 ? countdown.parent : std::noop_coroutine();
  }
  void await_resume() const noexcept {}
};

/// A started coroutine that is destroyed by its owner.
class Part {
 public:
  struct promise_type {
    [[nodiscard]] Part get_return_object() noexcept {
      return Part(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
    [[nodiscard]] std::suspend_always final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
  };
  Part(Part&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Part& operator=(Part&&) = delete;
  ~Part() {
    if (handle_) {
      handle_.destroy();
    }
  }
  void start() const { handle_.resume(); }

 private:
  explicit Part(std::coroutine_handle<promise_type> handle) noexcept : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

struct StartAll {
  std::vector<Part>& parts;
  Countdown& countdown;  // of parts.size() + 1
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> parent) const {
    for (const Part& part : parts) {
      part.start();  // one that ends at once must not resume us here: we count as one, too
    }
    countdown.parent = parent;
    return --countdown.left != 0;
  }
  void await_resume() const noexcept {}
};

template <class T>
using Outcome = std::variant<
    std::monostate, std::conditional_t<std::is_void_v<T>, std::monostate, T>, std::exception_ptr>;

template <class T>
Part run_part(Task<T> task, Outcome<T>* outcome, Countdown* countdown) {
  try {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(task);
      outcome->template emplace<1>();
    } else {
      outcome->template emplace<1>(co_await std::move(task));
    }
  } catch (...) {
    outcome->template emplace<2>(std::current_exception());
  }
  co_await Arrive{*countdown};
}

template <class T>
void rethrow_if_failed(const Outcome<T>& outcome) {
  if (outcome.index() == 2) {
    std::rethrow_exception(std::get<2>(outcome));
  }
}

}  // namespace detail

/// Runs all tasks at the same time and waits for all; then throws the first exception (in the order
/// of the tasks) or gives their values in that order. Destroying it destroys the tasks.
template <class T>
[[nodiscard]] Task<std::vector<T>> when_all(std::vector<Task<T>> tasks) {
  std::vector<detail::Outcome<T>> outcomes(tasks.size());
  detail::Countdown countdown{.left = tasks.size() + 1};
  std::vector<detail::Part> parts;
  parts.reserve(tasks.size());
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    parts.push_back(detail::run_part<T>(std::move(tasks[i]), &outcomes[i], &countdown));
  }
  co_await detail::StartAll{parts, countdown};
  std::vector<T> values;
  values.reserve(outcomes.size());
  for (auto& outcome : outcomes) {
    detail::rethrow_if_failed<T>(outcome);
    values.push_back(std::move(std::get<1>(outcome)));
  }
  co_return values;
}
[[nodiscard]] Task<void> when_all(std::vector<Task<void>> tasks);

namespace detail {

template <class T>
Task<void> run_and_stop(Loop* loop, Task<T> task, Outcome<T>* outcome) {
  try {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(task);
      outcome->template emplace<1>();
    } else {
      outcome->template emplace<1>(co_await std::move(task));
    }
  } catch (...) {
    outcome->template emplace<2>(std::current_exception());
  }
  loop->stop();
}

}  // namespace detail

/// Runs the loop until `task` is done, for tests and command-line tools. REQUIRES that the loop
/// does not run. Throws what the task threw.
template <class T>
T blocking_run(Loop& loop, Task<T> task) {
  detail::Outcome<T> outcome;
  TaskGroup group(loop);
  group.spawn(detail::run_and_stop<T>(&loop, std::move(task), &outcome));
  while (group.size() != 0) {
    loop.run();
  }
  detail::rethrow_if_failed<T>(outcome);
  if constexpr (!std::is_void_v<T>) {
    return std::move(std::get<1>(outcome));
  }
}

}  // namespace sherd::net
