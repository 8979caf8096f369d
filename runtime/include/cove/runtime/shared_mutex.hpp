#pragma once

#include <cove/runtime/detail/wait_list.hpp>

#include <cstddef>
#include <utility>

namespace cove {

class shared_mutex;

namespace detail {
class shared_mutex_lock;
}

/// The right to be in the section of a shared_mutex, alone or with others; gives it back when this
/// goes.
///
/// Threads:  one thread at a time; may go to another thread.
/// Lifetime: must not outlive the mutex.
class [[nodiscard]] shared_mutex_guard {
 public:
  /// Holds nothing.
  shared_mutex_guard() noexcept = default;
  shared_mutex_guard(shared_mutex_guard&& other) noexcept
      : held_(std::exchange(other.held_, nullptr)), exclusive_(other.exclusive_) {}
  shared_mutex_guard& operator=(shared_mutex_guard&& other) noexcept {
    if (this != &other) {
      unlock();
      held_ = std::exchange(other.held_, nullptr);
      exclusive_ = other.exclusive_;
    }
    return *this;
  }
  ~shared_mutex_guard() { unlock(); }

  /// Gives the mutex back now.
  inline void unlock() noexcept;
  /// Does it hold a mutex?
  bool owns_lock() const noexcept { return held_ != nullptr; }
  explicit operator bool() const noexcept { return owns_lock(); }
  /// Does it hold it alone?
  bool is_exclusive() const noexcept { return owns_lock() && exclusive_; }

 private:
  friend class shared_mutex;
  friend class detail::shared_mutex_lock;
  shared_mutex_guard(shared_mutex& held, bool exclusive) noexcept
      : held_(&held), exclusive_(exclusive) {}

  shared_mutex* held_ = nullptr;
  bool exclusive_ = false;
};

namespace detail {

/// `co_await mutex.lock()` and `co_await mutex.lock_shared()`.
class [[nodiscard]] shared_mutex_lock : public wait_awaiter<shared_mutex_lock> {
 public:
  shared_mutex_lock(shared_mutex& wanted, bool exclusive) noexcept
      : wait_awaiter(exclusive ? "lock" : "lock shared"), wanted_(&wanted), exclusive_(exclusive) {}

  shared_mutex_guard await_resume() {
    check_granted();
    return {*wanted_, exclusive_};
  }

 private:
  friend class cove::shared_mutex;
  friend class wait_awaiter<shared_mutex_lock>;

  bool try_now() noexcept;
  bool begin() noexcept;
  bool give_up() noexcept;

  shared_mutex* wanted_;
  bool exclusive_;
};

}  // namespace detail

/// A lock that many may hold to read, or one to write.
///
///     cove::shared_mutex m;
///     ...
///     auto reading = co_await m.lock_shared();   // or, to write: co_await m.lock()
///
/// Served in order: readers that come after a writer wait behind it, so neither kind keeps the
/// other out. Worth it where readers await while they hold it; for short sections mutex is cheaper.
///
/// Not recursive, for readers neither: the second turn may wait behind a writer that waits for the
/// first.
///
/// Threads:  every function may be called by any thread, the locks by tasks.
/// Lifetime: must outlive its waiters and guards. A task that got it from another's unlock() may
///           destroy it although unlock() has not returned.
class shared_mutex {
 public:
  constexpr shared_mutex() noexcept = default;
  shared_mutex(const shared_mutex&) = delete;
  shared_mutex& operator=(const shared_mutex&) = delete;

  /// Waits until it can be held alone.
  /// Errors:       canceled or deadline_exceeded; as_result() gives these in place of a throw.
  /// Cancellation: nothing is taken; those behind may go on.
  detail::shared_mutex_lock lock() noexcept { return {*this, true}; }

  /// Waits until it can be held with other readers. Otherwise as lock().
  detail::shared_mutex_lock lock_shared() noexcept { return {*this, false}; }

  /// Holds it alone if nobody holds it; else gives a guard that holds nothing.
  shared_mutex_guard try_lock() noexcept;
  /// Holds it with other readers if nobody writes or waits; else gives a guard that holds nothing.
  shared_mutex_guard try_lock_shared() noexcept;

 private:
  friend class shared_mutex_guard;
  friend class detail::shared_mutex_lock;

  void unlock(bool exclusive) noexcept;

  // Under lock_.
  bool admit(bool exclusive) noexcept;
  bool take(bool exclusive) noexcept { return waiting_.empty() && admit(exclusive); }
  void serve(detail::granted_list& granted) noexcept;

  detail::spin_lock lock_;
  // Under lock_.
  bool writer_ = false;
  std::size_t readers_ = 0;
  detail::wait_list waiting_;
};

inline void shared_mutex_guard::unlock() noexcept {
  if (shared_mutex* held = std::exchange(held_, nullptr); held != nullptr) held->unlock(exclusive_);
}

}  // namespace cove
