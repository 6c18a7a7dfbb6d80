#include "sherd/net/async.hpp"

namespace sherd::net {

namespace {

struct SleepAwait : Waiter {
  Loop& loop;
  TimePoint at;
  TimerId timer = TimerId::kNone;

  SleepAwait(Loop& in, TimePoint until) noexcept : loop(in), at(until) {}
  ~SleepAwait() { loop.cancel_timer(timer); }
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) {
    park(handle);
    timer = loop.start_timer(at, [this] { loop.defer(*this); });
  }
  void await_resume() const noexcept {}
};

struct YieldAwait : Waiter {
  Loop& loop;
  explicit YieldAwait(Loop& in) noexcept : loop(in) {}
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) noexcept {
    park(handle);
    loop.defer(*this);
  }
  void await_resume() const noexcept {}
};

}  // namespace

Task<void> sleep_until(Loop& loop, TimePoint at) {
  co_await SleepAwait(loop, at);
}

Task<void> yield_turn(Loop& loop) {
  co_await YieldAwait(loop);
}

Task<Result<std::unique_ptr<Stream>>> connect(Loop& loop, Address address, Deadline deadline) {
  OneShot<Result<std::unique_ptr<Stream>>> done(loop);
  loop.connect(std::move(address), deadline, [setter = done.setter()](auto result) mutable {
    setter.set(std::move(result));
  });
  auto result = co_await done.wait();
  co_return result;
}

// ---- Semaphore

struct Semaphore::Await : Waiter {
  Semaphore& from;
  TimePoint until;
  TimerId timer = TimerId::kNone;
  bool is_granted = false;

  Await(Semaphore& semaphore, TimePoint at) noexcept : from(semaphore), until(at) {}
  ~Await() {
    from.loop_.cancel_timer(timer);
    if (is_granted) {
      from.give_back();  // destroyed between the grant and the resumption
    }
  }
  [[nodiscard]] bool await_ready() noexcept {
    is_granted = from.take();
    return is_granted;
  }
  void await_suspend(std::coroutine_handle<> handle) {
    park(handle);
    from.queue_.push(*this);
    if (until != TimePoint::max()) {
      timer = from.loop_.start_timer(until, [this] {
        if (!is_granted) {
          from.loop_.defer(*this);  // leaves the queue
        }
      });
    }
  }
  [[nodiscard]] bool await_resume() noexcept { return std::exchange(is_granted, false); }
};

bool Semaphore::take() noexcept {
  if (available_ == 0 || !queue_.empty()) {
    return false;
  }
  --available_;
  return true;
}

Task<Result<Semaphore::Permit>> Semaphore::acquire(Deadline deadline) {
  const bool is_granted = co_await Await(*this, deadline.at());
  if (!is_granted) {
    co_return fail(ErrorCode::kTimeout, "the time allowed for waiting in line has passed");
  }
  co_return Permit(*this);
}

std::optional<Semaphore::Permit> Semaphore::try_acquire() noexcept {
  if (!take()) {
    return std::nullopt;
  }
  return Permit(*this);
}

void Semaphore::give_back() noexcept {
  if (ReadyNode* node = queue_.pop()) {
    auto& next = static_cast<Await&>(*node);
    next.is_granted = true;
    loop_.defer(next);
  } else {
    ++available_;
  }
}

// ---- TaskGroup

struct TaskGroup::Root {
  struct promise_type : ReadyNode {
    TaskGroup* group;
    Waiter start;
    std::exception_ptr failure;

    promise_type(TaskGroup* of, Task<void>&) noexcept : ReadyNode([](ReadyNode&) {}), group(of) {}
    [[nodiscard]] Root get_return_object() noexcept { return {*this}; }
    [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
    struct End {
      [[nodiscard]] bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<promise_type> self) const noexcept {
        TaskGroup* owner = self.promise().group;
        std::exception_ptr thrown = std::move(self.promise().failure);
        self.destroy();
        owner->finished(std::move(thrown));
      }
      void await_resume() const noexcept {}
    };
    [[nodiscard]] End final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() noexcept { failure = std::current_exception(); }
  };
  promise_type& promise;
};

TaskGroup::Root TaskGroup::run_root(TaskGroup* group, Task<void> task) {
  (void)group;  // the promise takes it
  co_await std::move(task);
}

void TaskGroup::spawn(Task<void> task) {
  Root::promise_type& root = run_root(this, std::move(task)).promise;
  ++size_;
  roots_.push(root);
  root.start.park(std::coroutine_handle<Root::promise_type>::from_promise(root));
  loop_.defer(root.start);
}

void TaskGroup::finished(std::exception_ptr failure) noexcept {
  --size_;
  if (failure && !failure_) {
    failure_ = std::move(failure);
  }
  if (size_ == 0 && joiner_ != nullptr) {
    loop_.defer(*joiner_);
  }
}

void TaskGroup::destroy_all() noexcept {
  ReadyList doomed;  // not those that destructors may spawn
  while (ReadyNode* root = roots_.pop()) {
    doomed.push(*root);
  }
  while (ReadyNode* root = doomed.pop()) {
    auto& promise = static_cast<Root::promise_type&>(*root);
    std::coroutine_handle<Root::promise_type>::from_promise(promise).destroy();
    finished(nullptr);
  }
}

struct TaskGroup::JoinAwait : Waiter {
  TaskGroup& group;
  explicit JoinAwait(TaskGroup& of) noexcept : group(of) {}
  ~JoinAwait() {
    if (group.joiner_ == this) {
      group.joiner_ = nullptr;
    }
  }
  [[nodiscard]] bool await_ready() const noexcept { return group.size_ == 0; }
  void await_suspend(std::coroutine_handle<> handle) noexcept {
    SHERD_CHECK(group.joiner_ == nullptr);
    group.joiner_ = this;
    park(handle);
  }
  void await_resume() const noexcept {}
};

Task<void> TaskGroup::join() {
  while (size_ != 0) {  // one that ends may spawn another
    co_await JoinAwait(*this);
  }
  if (failure_) {
    std::rethrow_exception(std::exchange(failure_, nullptr));
  }
}

// ---- when_all

Task<void> when_all(std::vector<Task<void>> tasks) {
  std::vector<detail::Outcome<void>> outcomes(tasks.size());
  detail::Countdown countdown{.left = tasks.size() + 1};
  std::vector<detail::Part> parts;
  parts.reserve(tasks.size());
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    parts.push_back(detail::run_part<void>(std::move(tasks[i]), &outcomes[i], &countdown));
  }
  co_await detail::StartAll{parts, countdown};
  for (const auto& outcome : outcomes) {
    detail::rethrow_if_failed<void>(outcome);
  }
}

}  // namespace sherd::net
