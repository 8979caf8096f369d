#pragma once

#include <cove/runtime/detail/coroutine_templates.hpp>
#include <cove/runtime/task.hpp>

#include <optional>
#include <tuple>

// The root of a spawned task: a frame that holds the control block, the callable and its arguments,
// and awaits what the callable returns.

namespace cove::detail {

/// The promise of every root; what does not depend on the result type.
class root_base : public promise_base {
 public:
  root_base() noexcept { ctl_ = &control_; }

  void unhandled_exception() noexcept;

  task_ctl control_;
};

template <class T>
struct root_promise;

/// What make_root gives: the frame, not yet started.
template <class T>
struct root {
  using promise_type = root_promise<T>;
  std::coroutine_handle<promise_type> frame;
};

/// Tells the worker that the task has come to its end; the worker does the rest from its loop.
void root_ended(task_ctl& task) noexcept;

struct root_final_awaiter {
  bool await_ready() noexcept { return false; }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> self) noexcept {
    root_ended(self.promise().control_);
  }
  void await_resume() noexcept {}
};

template <class T>
struct root_promise : root_base, returning<T> {
  root<T> get_return_object() noexcept {
    return {std::coroutine_handle<root_promise>::from_promise(*this)};
  }
  root_final_awaiter final_suspend() noexcept { return {}; }

  /// The root awaits one thing, what was spawned: reports name that.
  template <class U>
  auto await_transform(task<U>&& child) noexcept {
    control_.place.store(child.place(), std::memory_order_relaxed);
    return promise_base::await_transform(std::move(child), child.place());
  }

  T take() {
    if (control_.failure) std::rethrow_exception(std::exchange(control_.failure, nullptr));
    return this->take_value();
  }
};

/// Throws if the task was cancelled before it began.
void check_start();

/// A callable with its arguments, gone when the body ends, whoever still holds the frame.
template <class F, class... Args>
class held_call {
 public:
  template <class G, class... Given>
  explicit held_call(std::in_place_t, G&& f, Given&&... args)
      : parts_(std::in_place, std::forward<G>(f), std::forward<Given>(args)...) {}

  decltype(auto) operator()() {
    return std::apply(
        [](F& f, Args&... args) -> decltype(auto) { return std::move(f)(std::move(args)...); },
        *parts_);
  }
  void reset() noexcept { parts_.reset(); }

 private:
  std::optional<std::tuple<F, Args...>> parts_;
};

template <class Call>
class reset_at_end {
 public:
  explicit reset_at_end(Call& call) noexcept : call_(call) {}
  reset_at_end(const reset_at_end&) = delete;
  ~reset_at_end() { call_.reset(); }

 private:
  Call& call_;
};

COVE_COROUTINE_TEMPLATES_BEGIN
template <class T, class Call>
root<T> make_root(Call call) {
  const reset_at_end<Call> ending(call);
  check_start();
  co_return co_await call();
}
COVE_COROUTINE_TEMPLATES_END

/// What `f(args...)` yields: the T of its task<T>.
template <class F, class... Args>
using spawned_value =
    typename std::invoke_result_t<std::decay_t<F>, std::decay_t<Args>...>::value_type;

/// `f(args...)` can be run as a task: f is called with what spawn stores.
template <class F, class... Args>
concept spawnable = std::is_invocable_v<std::decay_t<F>, std::decay_t<Args>...> &&
                    requires { typename spawned_value<F, Args...>; };

/// Starts a root in `group`; false if that takes no more tasks.
bool start_root(task_group& group, task_ctl& task) noexcept;

/// The group that spawn() uses: the runtime's own, of the task that runs. Throws outside of one.
task_group& current_root_group();

/// A join handle goes: the task is on its own, or its frame is freed.
void drop_root(task_ctl& task) noexcept;

}  // namespace cove::detail
