#pragma once

#include <cove/runtime/detail/wait_list.hpp>

#include <cstddef>

namespace cove {

class latch;

namespace detail {

/// `co_await latch.wait()` and `co_await latch.arrive_and_wait()`.
class [[nodiscard]] latch_wait : public wait_awaiter<latch_wait> {
 public:
  latch_wait(latch& which, std::size_t arrivals) noexcept
      : wait_awaiter("wait for a latch"), which_(&which), arrivals_(arrivals) {}

  void await_resume() const { check_granted(); }

 private:
  friend class wait_awaiter<latch_wait>;

  bool try_now() noexcept;
  bool begin() noexcept;
  bool give_up() noexcept;

  latch* which_;
  std::size_t arrivals_;  ///< What this wait itself takes off the count.
};

}  // namespace detail

/// A count that goes down to zero once, for tasks to wait for.
///
///     cove::latch started(workers);
///     for (int i = 0; i < workers; ++i) cove::spawn(work, &started);  // each counts down
///     co_await started.wait();
///
/// Threads:  every function may be called by any thread, the waits by tasks.
/// Lifetime: must outlive its waiters. A task whose wait ended may destroy it although the last
///           count_down() has not returned.
class latch {
 public:
  explicit latch(std::size_t count) noexcept : count_(count) {}
  latch(const latch&) = delete;
  latch& operator=(const latch&) = delete;

  /// Takes `count` off; at zero all who wait go on. What was done before is seen by them. To take
  /// off more than is left is a mistake, and ends the process.
  void count_down(std::size_t count = 1) noexcept;

  /// Ends when the count is zero; at once if it is.
  /// Errors:       canceled or deadline_exceeded; as_result() gives these in place of a throw.
  /// Cancellation: ends the wait; the count is as before.
  detail::latch_wait wait() noexcept { return {*this, 0}; }

  /// count_down(), then wait(), in one.
  /// Errors:       canceled or deadline_exceeded; as_result() gives these in place of a throw.
  /// Cancellation: a task that is asked to end before it begins to wait does not arrive; after that
  ///               the arrival stands.
  detail::latch_wait arrive_and_wait() noexcept { return {*this, 1}; }

  /// Is the count zero? Does not wait.
  bool try_wait() const noexcept;

 private:
  friend class detail::latch_wait;

  void arrive(std::size_t count, detail::granted_list& granted) noexcept;  // Under lock_.

  mutable detail::spin_lock lock_;
  // Under lock_. Once the count is zero nobody waits.
  std::size_t count_;
  detail::wait_list waiting_;
};

}  // namespace cove
