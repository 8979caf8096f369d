#pragma once

#include <cove/runtime/detail/selectable_wait.hpp>

#include <cstddef>
#include <utility>

namespace cove {

class semaphore;

namespace detail {
class semaphore_acquire;
}

/// Permits of a semaphore, given back when this goes.
///
/// Threads:  one thread at a time; may go to another thread.
/// Lifetime: must not outlive the semaphore.
class [[nodiscard]] semaphore_permits {
 public:
  /// None.
  semaphore_permits() noexcept = default;
  semaphore_permits(semaphore_permits&& other) noexcept
      : from_(std::exchange(other.from_, nullptr)), count_(std::exchange(other.count_, 0)) {}
  semaphore_permits& operator=(semaphore_permits&& other) noexcept {
    if (this != &other) {
      release();
      from_ = std::exchange(other.from_, nullptr);
      count_ = std::exchange(other.count_, 0);
    }
    return *this;
  }
  ~semaphore_permits() { release(); }

  /// Gives the permits back now.
  inline void release() noexcept;
  /// They stay out: somebody calls semaphore::release() for them.
  std::size_t forget() noexcept {
    from_ = nullptr;
    return std::exchange(count_, 0);
  }
  std::size_t count() const noexcept { return count_; }

 private:
  friend class semaphore;
  friend class detail::semaphore_acquire;
  semaphore_permits(semaphore& from, std::size_t count) noexcept : from_(&from), count_(count) {}

  semaphore* from_ = nullptr;
  std::size_t count_ = 0;
};

namespace detail {

/// `co_await semaphore.acquire(n)`.
class [[nodiscard]] semaphore_acquire : public selectable_wait<semaphore_acquire> {
 public:
  semaphore_acquire(semaphore& from, std::size_t wanted) noexcept
      : selectable_wait("acquire"), from_(&from), wanted_(wanted) {}

  semaphore_permits await_resume() {
    check_granted();
    return {*from_, wanted_};
  }

 private:
  friend class cove::semaphore;
  friend class selectable_wait<semaphore_acquire>;

  spin_lock& lock() noexcept;
  bool take(granted_list& granted) noexcept;
  void link() noexcept;
  bool unlink(granted_list& granted) noexcept;

  semaphore* from_;
  std::size_t wanted_;
};

}  // namespace detail

/// A number of permits that tasks take and give back.
///
///     cove::semaphore slots(8);
///     ...
///     auto permit = co_await slots.acquire();   // given back at the end of the block
///
/// Who waits is served in order: one who wants many is not passed by those who want few.
///
/// Threads:  every function may be called by any thread, acquire() by tasks.
/// Lifetime: must outlive its waiters and permits. A task that release() has woken may destroy it
///           although release() has not returned.
class semaphore {
 public:
  explicit semaphore(std::size_t permits) noexcept : free_(permits) {}
  semaphore(const semaphore&) = delete;
  semaphore& operator=(const semaphore&) = delete;

  /// Waits for `count` permits. 0 waits for its turn and takes none.
  /// Errors:       canceled or deadline_exceeded; as_result() gives these in place of a throw.
  /// Cancellation: nothing is taken; those behind may go on.
  detail::semaphore_acquire acquire(std::size_t count = 1) noexcept { return {*this, count}; }

  /// Takes `count` permits if they are free and nobody waits; else gives none (count() is 0).
  semaphore_permits try_acquire(std::size_t count = 1) noexcept;

  /// Adds `count` permits.
  void release(std::size_t count = 1) noexcept;

  /// How many are free at the moment.
  std::size_t available() const noexcept;

 private:
  friend class detail::semaphore_acquire;

  bool take(std::size_t count) noexcept;               // Under lock_.
  void serve(detail::granted_list& granted) noexcept;  // Under lock_.

  mutable detail::spin_lock lock_;
  // Under lock_.
  std::size_t free_;
  detail::wait_list waiting_;
};

inline void semaphore_permits::release() noexcept {
  if (const std::size_t count = std::exchange(count_, 0); count != 0) from_->release(count);
}

}  // namespace cove
