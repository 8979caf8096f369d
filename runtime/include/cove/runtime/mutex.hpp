#pragma once

#include <cove/runtime/detail/atomic.hpp>
#include <cove/runtime/detail/wait_list.hpp>

#include <new>
#include <utility>

// A lock whose waiters park. Taking and giving back a lock that nobody waits for is one exchange of
// its word each; the list of waiters has a spin lock, which only those take who meet.
//
// The word
//   open    -> held     any thread                           try_lock(), and all who enter
//   held    -> open     the holder                           unlock()
//   held    -> wanted   a waiter that enters the list        under list_lock_
//   wanted  -> held     the list became empty                under list_lock_
//   wanted  -> open     the holder, who called the first     under list_lock_
// `wanted` means: somebody is in the list and nobody was called, so who unlocks has to see to it.
//
// A waiter
//   leaves the list   called: it may come and try again, against whoever is quicker
//                     handed: the mutex is its own; the word stays as it is
//                     withdrawn: its task was asked to end
//   comes             finds the mutex open and takes it, or goes back to the front of the list
//
// Handing the mutex over at each unlock would be fair, and would cost a switch of tasks for each of
// two tasks that use it in turn. Calling leaves it open meanwhile, so the one who runs goes on; but
// it could pass a waiter for ever. So, as in Go, who was passed by too often or has waited too
// long gets it handed. One waiter at a time is called; while it is on its way (`called_`) unlocking
// wakes nobody else. A called task that was asked to end comes all the same: it takes the mutex if
// that is open, and its await succeeds; else the word is `wanted` again before it goes.
//
// Lifetime: unlock() touches nothing after its exchange, or after it gave list_lock_ back and woke
// its waiter. It never opens the word under list_lock_ unless a waiter it has yet to wake holds the
// mutex alive.
//
// Orders: who takes the word acquires what its last holder released. A mutex that is handed travels
// with list_lock_ and the completion of the task.

namespace cove {

class mutex;
class condition_variable;

namespace detail {
class condition_wait;
class mutex_lock;
struct lock_waiter;
}  // namespace detail

/// The right to be in the section of a mutex; gives it back when this goes.
///
/// Threads:  one thread at a time; may go to another thread.
/// Lifetime: must not outlive the mutex.
class [[nodiscard]] mutex_guard {
 public:
  /// Holds nothing.
  mutex_guard() noexcept = default;
  mutex_guard(mutex_guard&& other) noexcept : held_(std::exchange(other.held_, nullptr)) {}
  mutex_guard& operator=(mutex_guard&& other) noexcept {
    if (this != &other) {
      unlock();
      held_ = std::exchange(other.held_, nullptr);
    }
    return *this;
  }
  ~mutex_guard() { unlock(); }

  /// Gives the mutex back now.
  inline void unlock() noexcept;
  /// Does it hold a mutex?
  bool owns_lock() const noexcept { return held_ != nullptr; }
  explicit operator bool() const noexcept { return owns_lock(); }
  /// The mutex it holds, or null.
  cove::mutex* mutex() const noexcept { return held_; }

 private:
  friend class cove::mutex;
  friend class detail::mutex_lock;
  explicit mutex_guard(cove::mutex& held) noexcept : held_(&held) {}

  cove::mutex* held_ = nullptr;
};

namespace detail {

/// Someone who waits for a mutex.
struct mutex_waiter : waiter {
  using waiter::waiter;

  // Under list_lock_.
  bool owner = false;             ///< It was handed the mutex.
  std::uint8_t times_passed = 0;  ///< It was called and found the mutex taken.
  std::int64_t passed_at_ns = 0;  ///< When that happened first.
};

/// A task that waits for a mutex, and nothing else.
struct lock_waiter : mutex_waiter {
  explicit lock_waiter(mutex& which) noexcept : mutex_waiter(moves), wanted(&which) {}

  mutex* wanted;

 private:
  static bool advance(operation& op, task_ctl& task, sched::processor&) noexcept;
  static bool withdraw(operation& op, task_ctl&, sched::processor&) noexcept;
  static void refuse(operation& op, stop_reason why) noexcept;

  static const operation_type moves;
};

/// `co_await mutex.lock()`. The waiter is made only where it has to wait: filling it in would cost
/// more than the exchange.
class [[nodiscard]] mutex_lock : public awaitable_base {
 public:
  explicit mutex_lock(mutex& wanted) noexcept : wanted_(&wanted) {}
  /// Before its start only.
  mutex_lock(mutex_lock&& other) noexcept : mutex_lock(*other.wanted_) {}

  inline bool await_ready() noexcept;
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    waited_ = true;
    return suspend(*task_, *::new (&waiter_) lock_waiter(*wanted_), self);
  }
  inline mutex_guard await_resume();

  /// Gives a result with the guard, and does not throw.
  auto as_result() && noexcept { return result_of<mutex_lock>(std::move(*this)); }
  stop_reason broken_off() const noexcept { return waited_ ? waiter_.stopped : refused_; }

 private:
  mutex* wanted_;
  stop_reason refused_ = stop_reason::none;  ///< Before it waited.
  bool waited_ = false;
  union {
    lock_waiter waiter_;  ///< Once it has `waited_`.
  };
};

}  // namespace detail

/// A lock for sections that await. A task that finds it taken parks; its worker runs others.
///
///     cove::mutex m;
///     ...
///     auto guard = co_await m.lock();   // given back at the end of the block
///
/// Whoever comes just when it is open takes it, also before those who wait, but not for ever: a
/// waiter that was passed a few times, or for a millisecond, is handed the mutex. Those who wait
/// are served in order. For sections without an await std::mutex is as good and works everywhere.
///
/// Not recursive: a task that locks it twice waits for itself.
///
/// Threads:  every function may be called by any thread, lock() by tasks.
/// Lifetime: must outlive its waiters and guards. A task that got it from another's unlock() may
///           destroy it although unlock() has not returned.
class mutex {
 public:
  constexpr mutex() noexcept = default;
  mutex(const mutex&) = delete;
  mutex& operator=(const mutex&) = delete;

  /// Waits for the mutex and gives a guard that holds it.
  /// Errors:       canceled or deadline_exceeded; as_result() gives these in place of a throw.
  /// Cancellation: the mutex is not taken; others who wait keep their places.
  detail::mutex_lock lock() noexcept { return detail::mutex_lock(*this); }

  /// Takes the mutex if it is open; else gives a guard that holds nothing.
  mutex_guard try_lock() noexcept { return take() ? mutex_guard(*this) : mutex_guard(); }

 private:
  friend class mutex_guard;
  friend class detail::mutex_lock;
  friend struct detail::lock_waiter;
  friend class condition_variable;
  friend class detail::condition_wait;

  enum class state : std::uint8_t { open, held, wanted };

  bool take() noexcept {
    state expected = state::open;
    // acquire: what the holder before released.
    return word_.compare_exchange_strong(expected, state::held, std::memory_order_acquire,
                                         std::memory_order_relaxed);
  }
  void unlock() noexcept {
    state expected = state::held;
    // release: what was done in the section, to the next holder.
    if (!word_.compare_exchange_strong(expected, state::open, std::memory_order_release,
                                       std::memory_order_relaxed)) [[unlikely]]
      unlock_wanted();
  }
  void unlock_wanted() noexcept;

  /// Fresh: takes the mutex (true), or enters the list.
  bool enter(detail::mutex_waiter& who) noexcept;
  /// Woken: has the mutex (true), or goes back to its place, if it is to stay.
  bool come(detail::mutex_waiter& who, bool stay) noexcept;
  /// Waiting: leaves the list. False if it was woken before.
  bool leave(detail::mutex_waiter& who) noexcept;

  bool take_or_want() noexcept;     // Under list_lock_.
  void unwant_if_empty() noexcept;  // Under list_lock_.

  detail::atomic<state> word_{state::open};
  detail::spin_lock list_lock_;
  // Under list_lock_.
  bool called_ = false;  ///< A waiter that left the list is on its way.
  detail::wait_list waiting_;
};

inline void mutex_guard::unlock() noexcept {
  if (cove::mutex* held = std::exchange(held_, nullptr); held != nullptr) held->unlock();
}

namespace detail {

inline bool mutex_lock::await_ready() noexcept {
  refused_ = glance(*task_);
  if (refused_ != stop_reason::none) return true;
  // Goes on at once if it can, but not for ever: others want their turn.
  return --task_->budget >= 0 && wanted_->take();
}

inline mutex_guard mutex_lock::await_resume() {
  if (broken_off() != stop_reason::none) throw_stopped(broken_off(), "lock");
  return mutex_guard(*wanted_);
}

}  // namespace detail
}  // namespace cove
