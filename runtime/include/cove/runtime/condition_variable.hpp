#pragma once

#include <cove/runtime/detail/coroutine_templates.hpp>
#include <cove/runtime/mutex.hpp>
#include <cove/runtime/task.hpp>

// A wait is one operation with two stages, so that no way out of it leaves the mutex behind:
//
//   fresh    -> asking    linked to the condition, then the mutex is given back      (advance)
//   asking   -> locking   notified: waits for the mutex                              (advance)
//   asking   -> locking   asked to end: unlinked, waits for the mutex all the same   (withdraw)
//   locking  -> ended     it has the mutex
//
// While it is locking it is masked: nothing can break that off. Who was notified in the moment in
// which it was asked to end was notified: its wait succeeds, and no notification is lost.

namespace cove {

class condition_variable;

namespace detail {

/// `co_await condition.wait(guard)`.
class [[nodiscard]] condition_wait : public awaitable_base, public mutex_waiter {
 public:
  condition_wait(condition_variable& which, mutex& held) noexcept
      : mutex_waiter(moves), which_(&which), held_(&held) {}
  /// Before its start only.
  condition_wait(condition_wait&& other) noexcept : condition_wait(*other.which_, *other.held_) {}

  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    return suspend(*task_, *this, self);
  }
  void await_resume() const {
    if (stopped != stop_reason::none) throw_stopped(stopped, name);
  }

 private:
  enum class stage : std::uint8_t { fresh, asking, locking };

  bool relock() noexcept;

  static bool advance(operation& op, task_ctl& task, sched::processor&) noexcept;
  static bool withdraw(operation& op, task_ctl&, sched::processor&) noexcept;
  static void refuse(operation& op, stop_reason why) noexcept;

  static const operation_type moves;

  condition_variable* which_;
  mutex* held_;
  stage stage_ = stage::fresh;
  bool withdrawn_ = false;  ///< It was not notified.
};

}  // namespace detail

/// Lets tasks wait until what a mutex guards has changed.
///
///     auto guard = co_await m.lock();
///     co_await changed.wait(guard, [&] { return !queue.empty(); });
///     ...                                   // elsewhere: change it under m, changed.notify_one()
///
/// Waiters are notified in the order in which they came. There are no spurious wake-ups, but others
/// may hold the mutex between the notification and the end of the wait.
///
/// Threads:  every function may be called by any thread, wait() by tasks; to notify, the mutex need
///           not be held.
/// Lifetime: must outlive its waiters up to their notification: a task that was woken may destroy
///           it although notify_all() has not returned.
class condition_variable {
 public:
  constexpr condition_variable() noexcept = default;
  condition_variable(const condition_variable&) = delete;
  condition_variable& operator=(const condition_variable&) = delete;

  /// Gives back the mutex that `guard` holds, waits to be notified, and takes the mutex again. A
  /// notification after the mutex was given back is not missed.
  /// Errors:       canceled or deadline_exceeded; the guard holds the mutex then, too.
  /// Cancellation: ends the wait as soon as the mutex can be had again.
  /// Lifetime:     the guard stays where it is and is not used meanwhile.
  detail::condition_wait wait(mutex_guard& guard) noexcept {
    COVE_CHECK(guard.owns_lock(), "waited for a condition without holding its mutex");
    return {*this, *guard.mutex()};
  }

  /// Waits until `holds()`, which is called with the mutex held; at once if it does.
  /// Errors:       those of wait(), and what `holds` throws; the guard holds the mutex then, too.
  /// Cancellation: as wait().
  /// Lifetime:     on GCC 12 name a lambda that captures by value before the co_await expression.
  template <class Predicate>
  task<> wait(mutex_guard& guard, Predicate holds);

  /// Wakes the task that has waited longest, if there is one.
  void notify_one() noexcept;

  /// Wakes all tasks that wait at this moment.
  void notify_all() noexcept;

 private:
  friend class detail::condition_wait;

  detail::spin_lock lock_;
  // Under lock_.
  detail::wait_list waiting_;
};

COVE_COROUTINE_TEMPLATES_BEGIN
template <class Predicate>
task<> condition_variable::wait(mutex_guard& guard, Predicate holds) {
  while (!holds()) co_await wait(guard);
}
COVE_COROUTINE_TEMPLATES_END

}  // namespace cove
