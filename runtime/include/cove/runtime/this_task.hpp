#pragma once

#include <cove/runtime/detail/suspend.hpp>

#include <string_view>

namespace cove {

namespace detail {

class yield_awaiter : public awaitable_base {
 public:
  yield_awaiter() noexcept = default;
  yield_awaiter(yield_awaiter&&) = delete;
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> self) noexcept {
    suspend_yield(*task_, self);
  }
  void await_resume() const {
    if (const stop_reason why = glance(*task_); why != stop_reason::none)
      throw_stopped(why, "yield");
  }
};

/// As yield, but only when the task's budget is spent.
class maybe_yield_awaiter : public yield_awaiter {
 public:
  bool await_ready() const noexcept { return --task_->budget >= 0; }
};

/// Goes on at once, unless the task was asked to end.
class request_check : public awaitable_base {
 public:
  explicit request_check(const char* operation_name) noexcept : name_(operation_name) {}
  request_check(request_check&&) = delete;
  bool await_ready() const noexcept { return true; }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise>) const noexcept {}
  void await_resume() const {
    if (const stop_reason why = glance(*task_); why != stop_reason::none) throw_stopped(why, name_);
  }

 private:
  const char* name_;
};

}  // namespace detail

/// What a task can ask about itself.
namespace this_task {

/// Lets everything else that can run on this worker run first.
///
/// Errors:       canceled or deadline_exceeded, if that is asked of the task when its turn comes.
/// Cancellation: does not wait, so it is not broken off.
[[nodiscard]] inline detail::yield_awaiter yield() noexcept { return {}; }

/// For a loop that never waits: counts as one operation, and when the task has done 128 of them
/// since its last turn lets everything else run first, the network included. Reads and writes that
/// find what they want count by themselves. Costs about a nanosecond when it does not give way.
///
/// Errors, Cancellation: as yield.
[[nodiscard]] inline detail::maybe_yield_awaiter maybe_yield() noexcept { return {}; }

/// The number of the task that runs, unique in its runtime; 0 outside of a task.
std::uint64_t id() noexcept;

/// The name it was given, else the function that was spawned; empty outside of a task.
/// Lifetime: as long as the task.
std::string_view name() noexcept;

/// Names the task for logs and reports.
/// Lifetime: `name` must outlive the task: a literal, as a rule.
void set_name(const char* name) noexcept;

/// Has the task been asked to end, or has a deadline passed, seen from where it stands? Then its
/// next await throws. For long computations between awaits. Behind a shield only what was asked
/// inside counts; false outside of a task.
bool stop_requested() noexcept;

}  // namespace this_task
}  // namespace cove
