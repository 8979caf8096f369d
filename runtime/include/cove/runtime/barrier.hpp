#pragma once

#include <cove/runtime/detail/wait_list.hpp>

#include <cstddef>

namespace cove {

class barrier;

namespace detail {

/// `co_await barrier.arrive_and_wait()`.
class [[nodiscard]] barrier_wait : public wait_awaiter<barrier_wait> {
 public:
  explicit barrier_wait(barrier& which) noexcept
      : wait_awaiter("wait at a barrier"), which_(&which) {}

  bool await_resume() const {
    check_granted();
    return leads_;
  }

 private:
  friend class cove::barrier;
  friend class wait_awaiter<barrier_wait>;

  bool try_now() noexcept;
  bool begin() noexcept;
  bool give_up() noexcept;

  barrier* which_;
  bool leads_ = false;
};

}  // namespace detail

/// A place where a fixed number of parties wait for one another, round after round.
///
///     cove::barrier step(parties);
///     ...
///     while (work_left()) {
///       compute();
///       const bool leads = co_await step.arrive_and_wait();
///       if (leads) publish();   // one of them does it
///     }
///
/// Threads:  every function may be called by any thread, arrive_and_wait() by tasks.
/// Lifetime: must outlive its waiters. A task whose wait ended the last round may destroy it
///           although the call that ended the round has not returned.
class barrier {
 public:
  /// `parties` is at least one.
  explicit barrier(std::size_t parties) noexcept : parties_(parties) {
    COVE_CHECK(parties != 0, "a barrier for nobody");
  }
  barrier(const barrier&) = delete;
  barrier& operator=(const barrier&) = delete;

  /// Ends when all parties have arrived; the next round has begun then. Gives true to exactly one
  /// party of each round. What each did before is seen by all.
  /// Errors:       canceled or deadline_exceeded; as_result() gives these in place of a throw.
  /// Cancellation: the arrival is taken back: the others wait on until somebody arrives in its
  ///               place, or arrive_and_drop() is called for it.
  detail::barrier_wait arrive_and_wait() noexcept { return detail::barrier_wait(*this); }

  /// One party leaves for good: rounds need one less, beginning with this one.
  void arrive_and_drop() noexcept;

 private:
  friend class detail::barrier_wait;

  void end_round(detail::granted_list& granted) noexcept;  // Under lock_.

  detail::spin_lock lock_;
  // Under lock_.
  std::size_t parties_;
  std::size_t arrived_ = 0;  ///< In this round; as many as wait.
  detail::wait_list waiting_;
};

}  // namespace cove
