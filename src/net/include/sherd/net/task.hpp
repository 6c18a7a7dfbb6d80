#pragma once

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <utility>
#include <variant>

#include <sherd/base/check.hpp>

namespace sherd::net {

template <class T>
class Task;

namespace detail {

struct PromiseBase {
  std::coroutine_handle<> continuation = std::noop_coroutine();

  struct FinalAwaiter {
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self
    ) const noexcept {
      return self.promise().continuation;
    }
    void await_resume() const noexcept {}
  };
  [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
  [[nodiscard]] FinalAwaiter final_suspend() const noexcept { return {}; }
};

template <class T>
struct Promise : PromiseBase {
  std::variant<std::monostate, T, std::exception_ptr> outcome;

  [[nodiscard]] Task<T> get_return_object() noexcept;
  template <class U>
    requires std::convertible_to<U&&, T>
  void return_value(U&& value) {
    outcome.template emplace<1>(std::forward<U>(value));
  }
  void unhandled_exception() noexcept { outcome.template emplace<2>(std::current_exception()); }
  [[nodiscard]] T take() {
    if (outcome.index() == 2) {
      std::rethrow_exception(std::get<2>(outcome));
    }
    SHERD_DCHECK(outcome.index() == 1);
    return std::move(std::get<1>(outcome));
  }
};

template <>
struct Promise<void> : PromiseBase {
  std::exception_ptr failure;

  [[nodiscard]] Task<void> get_return_object() noexcept;
  void return_void() const noexcept {}
  void unhandled_exception() noexcept { failure = std::current_exception(); }
  void take() const {
    if (failure) {
      std::rethrow_exception(failure);
    }
  }
};

}  // namespace detail

/// A coroutine that starts when it is awaited and is awaited once: `auto x = co_await f();` or
/// `co_await std::move(task)`. Destroying it destroys the frame with all that it awaits, which is
/// also how it is cancelled: everything awaitable in net can be destroyed while it waits.
/// Exceptions come out of the await. Coroutines take their parameters by value (a Loop& may be a
/// reference) and are named functions, never capturing lambdas.
template <class T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;

  Task() noexcept = default;
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      destroy();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  ~Task() { destroy(); }

  /// False for a task that was moved from.
  [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(handle_); }

  [[nodiscard]] auto operator co_await() && noexcept {
    struct Awaiter {
      std::coroutine_handle<promise_type> task;
      [[nodiscard]] bool await_ready() const noexcept { return false; }
      [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<> parent
      ) const noexcept {
        task.promise().continuation = parent;
        return task;
      }
      T await_resume() const { return task.promise().take(); }
    };
    SHERD_CHECK(static_cast<bool>(handle_) && !handle_.done());
    return Awaiter{handle_};
  }

 private:
  template <class U>
  friend struct detail::Promise;
  explicit Task(std::coroutine_handle<promise_type> handle) noexcept : handle_(handle) {}
  void destroy() noexcept {
    if (handle_) {
      handle_.destroy();
      handle_ = nullptr;
    }
  }

  std::coroutine_handle<promise_type> handle_;
};

template <class T>
Task<T> detail::Promise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<Promise<T>>::from_promise(*this));
}
inline Task<void> detail::Promise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<Promise<void>>::from_promise(*this));
}

}  // namespace sherd::net
